//! Owns the pinned inputs: which package, which version, which bytes. Fetches them by name with the ordinary clients
//! (`npm`, `apt-get`, `pip`). Refuses an input whose SHA-256 is not the pinned one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

/// A package at one version.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    pub client: Client,
    pub package: &'static str,
    pub version: &'static str,
    /// File name the client gives it.
    pub file: &'static str,
    pub sha256: &'static str,
}

/// The program that knows how to get a package by its name.
#[derive(Debug, Clone, Copy)]
pub enum Client {
    Npm,
    Apt,
    Pip,
}

impl Input {
    /// How a reader would ask for it.
    pub fn cited(&self) -> String {
        let client = match self.client {
            Client::Npm => "npm",
            Client::Apt => "Debian",
            Client::Pip => "PyPI",
        };
        format!("{client} {} {}", self.package, self.version)
    }

    /// Fetches (unless `from` holds it already), verifies and unpacks; the folder it was unpacked to.
    pub fn unpacked(&self, from: Option<&Path>, scratch: &Path) -> Result<PathBuf> {
        let archive = match from {
            Some(folder) => folder.join(self.file),
            None => self.fetched(scratch)?,
        };
        let bytes = fs::read(&archive).with_context(|| format!("cannot read {}", archive.display()))?;
        let found = hex(&Sha256::digest(&bytes));
        ensure!(found == self.sha256, "{}: SHA-256 is {found}, pinned is {}", self.file, self.sha256);
        let folder = scratch.join("unpacked").join(self.file);
        fs::create_dir_all(&folder)?;
        let mut unpack = match self.client {
            Client::Npm => {
                let mut tar = Command::new("tar");
                tar.arg("-xzf").arg(&archive).arg("-C").arg(&folder);
                tar
            }
            Client::Apt => {
                let mut dpkg = Command::new("dpkg-deb");
                dpkg.arg("-x").arg(&archive).arg(&folder);
                dpkg
            }
            // A wheel is a zip file.
            Client::Pip => {
                let mut zip = Command::new("python3");
                zip.args(["-m", "zipfile", "-e"]).arg(&archive).arg(&folder);
                zip
            }
        };
        run(&mut unpack)?;
        Ok(folder)
    }

    fn fetched(&self, scratch: &Path) -> Result<PathBuf> {
        let archive = scratch.join(self.file);
        if archive.exists() {
            return Ok(archive);
        }
        let mut client = match self.client {
            Client::Npm => {
                let mut npm = Command::new("npm");
                npm.args(["pack", "--silent", &format!("{}@{}", self.package, self.version)]);
                npm
            }
            Client::Apt => {
                let mut apt = Command::new("apt-get");
                apt.args(["download", &format!("{}={}", self.package, self.version)]);
                apt
            }
            Client::Pip => {
                let mut pip = Command::new("pip");
                let package = format!("{}=={}", self.package, self.version);
                pip.args(["download", "--quiet", "--no-deps", "--only-binary", ":all:", &package]);
                pip
            }
        };
        run(client.current_dir(scratch))?;
        ensure!(archive.exists(), "the client did not leave {}", self.file);
        Ok(archive)
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
