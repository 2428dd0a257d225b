//! Where answers go: standard output, or a file that appears whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use anyhow::Context;

use crate::args::Color;
use crate::message;

/// Bytes gathered before they are written: an audit can have hundreds of millions.
const BUFFER: usize = 1 << 18;

/// The file that is asked for, unless that is `-`: standard output, as for inputs. A file of that name is `./-`.
pub(crate) fn named(to: Option<&Path>) -> Option<&Path> {
    to.filter(|it| it.as_os_str() != "-")
}

/// Whether standard output was asked for in so many words.
pub(crate) fn is_dash(to: Option<&Path>) -> bool {
    to.is_some() && named(to).is_none()
}

/// Writes to the file, or to standard output if there is none.
pub(crate) fn write(to: Option<&Path>, force: bool, body: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let Some(path) = named(to) else {
        let mut out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
        body(&mut out)?;
        out.flush()?;
        return Ok(());
    };
    let shown = || message::shown(path);
    if is_device(path) {
        // A device or a pipe is written to; a file put in its place would take it away from everybody.
        let file = OpenOptions::new().write(true).open(path).with_context(shown)?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        body(&mut out).with_context(shown)?;
        return out.flush().with_context(shown);
    }
    // What a link leads to is replaced, not the link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = builder().tempfile_in(folder).with_context(shown)?;
    let mut out = BufWriter::with_capacity(BUFFER, &mut file);
    body(&mut out).with_context(shown)?;
    out.flush().with_context(shown)?;
    drop(out);
    if force {
        file.persist(path).map_err(|it| it.error).with_context(shown)?;
    } else {
        file.persist_noclobber(path)
            .map_err(|it| it.error)
            .with_context(|| format!("{}: not written (--force overwrites)", shown()))?;
    }
    Ok(())
}

/// Whether something is there that is neither file nor folder.
fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| !it.is_file() && !it.is_dir())
}

/// A file that will be read by others, as any output: the umask decides, not the library's care for secrets.
pub(crate) fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder
}

/// Refuses early what would be refused late, before hours of work.
pub(crate) fn check(to: Option<&Path>, force: bool) -> anyhow::Result<()> {
    match named(to) {
        Some(path) if !force && path.exists() && !is_device(path) => {
            anyhow::bail!("{}: it exists; --force overwrites it", message::shown(path))
        }
        _ => Ok(()),
    }
}

/// Whether to use colours on standard output.
pub(crate) fn color(wish: Color, to_file: bool) -> bool {
    match wish {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => !to_file && io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty()),
    }
}

/// Columns of the terminal; 100 where there is none.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0).clamp(60, 160))
}
