//! A list that is empty as a rule: of millions of rows each has one, and few have anything in it. It owns no more than its rows; whoever
//! needs a list of many keeps a `Vec`.

use std::ops::Deref;

/// A list in a word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Few<T>(Option<Box<Kept<T>>>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Kept<T>(Vec<T>);

impl<T> Few<T> {
    /// Nothing.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Adds one behind the others.
    pub fn push(&mut self, it: T) {
        // Most have one, if any.
        self.0.get_or_insert_with(|| Box::new(Kept(Vec::with_capacity(1)))).0.push(it);
    }

    /// All of them, in order, to change them.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.as_mut().map_or(&mut [][..], |it| &mut it.0).iter_mut()
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::none()
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_ref().map_or(&[], |it| &it.0)
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(all: Vec<T>) -> Self {
        Self((!all.is_empty()).then(|| Box::new(Kept(all))))
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        Self::from(Vec::from_iter(all))
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Few<T> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_list_it_was_made_of() {
        for count in 0..4 {
            let list: Vec<u32> = (0..count).collect();
            let mut few = Few::none();
            list.iter().for_each(|it| few.push(*it));
            assert_eq!((&few, &*few), (&Few::from(list.clone()), &list[..]));
            few.iter_mut().for_each(|it| *it += 1);
            assert!(few.iter().eq(&list.iter().map(|it| it + 1).collect::<Vec<_>>()));
        }
        assert!(Few::from(vec![0]) < Few::from(vec![0, 0]) && Few::none() < Few::from(vec![0]));
        assert_eq!(size_of::<Few<String>>(), size_of::<usize>());
    }
}
