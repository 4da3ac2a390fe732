//! Products that cover a set, few of them: single things are united label by label, in every order of the labels, and the order
//! that leaves the fewest is taken.
//!
//! A step takes as long as there are products and labels, since sets of values are numbered and products are compared by these
//! numbers. Most labels unite nothing, which is seen before: two products that differ in one label alone come from two single
//! things that do, and where there are none of these the label is left out of the orders.

use std::collections::{BTreeSet, HashMap, HashSet};

/// Labels whose every order is tried; with more of them, each comes first once.
const ORDERED: usize = 4;

/// What each label has to be, as sets of values by the index of the label.
pub(super) type Product = Vec<BTreeSet<u32>>;

/// The same with the sets' numbers.
type Numbered = Vec<u32>;

/// Sets of values by their number. Each value alone has its own number.
#[derive(Default)]
struct Sets {
    all: Vec<BTreeSet<u32>>,
    known: HashMap<BTreeSet<u32>, u32>,
}

/// The fewest products that have these and nothing else; each is given by the value of each label.
pub(super) fn fewest(singles: Vec<Vec<u32>>) -> Vec<Product> {
    let mut sets = Sets::default();
    let labels = singles.first().map_or(0, Vec::len);
    let uniting: Vec<_> = (0..labels).filter(|at| unites(&singles, *at)).collect();
    let singles: Vec<Numbered> = singles
        .into_iter()
        .map(|single| single.into_iter().map(|value| sets.number(BTreeSet::from([value]))).collect())
        .collect();
    let tried = orders(&uniting).into_iter();
    let united = tried.map(|order| order.iter().fold(singles.clone(), |products, at| sets.united(products, *at)));
    let least = united.min_by_key(Vec::len).unwrap_or_default();
    let product = |numbered: Numbered| numbered.into_iter().map(|number| sets.all[number as usize].clone()).collect();
    least.into_iter().map(product).collect()
}

/// Whether any differ in this label alone.
fn unites(singles: &[Vec<u32>], at: usize) -> bool {
    let mut seen = HashSet::new();
    singles.iter().any(|single| !seen.insert((&single[..at], &single[at + 1..])))
}

impl Sets {
    fn number(&mut self, set: BTreeSet<u32>) -> u32 {
        let next = u32::try_from(self.all.len()).expect("there are fewer sets than steps, and fewer steps than that");
        *self.known.entry(set).or_insert_with_key(|set| {
            self.all.push(set.clone());
            next
        })
    }

    /// Products that differ in one label alone become one.
    fn united(&mut self, products: Vec<Numbered>, at: usize) -> Vec<Numbered> {
        let mut known: HashMap<Numbered, usize> = HashMap::new();
        let mut all: Vec<(Numbered, Vec<u32>)> = Vec::new();
        for mut product in products {
            let number = std::mem::take(&mut product[at]);
            match known.get(&product) {
                Some(index) => all[*index].1.push(number),
                None => {
                    known.insert(product.clone(), all.len());
                    all.push((product, vec![number]));
                }
            }
        }
        let whole = |(mut product, numbers): (Numbered, Vec<u32>)| {
            product[at] = match &*numbers {
                [number] => *number,
                numbers => {
                    let values = numbers.iter().flat_map(|number| &self.all[*number as usize]).copied().collect();
                    self.number(values)
                }
            };
            product
        };
        all.into_iter().map(whole).collect()
    }
}

fn orders(of: &[usize]) -> Vec<Vec<usize>> {
    match of {
        [] => vec![Vec::new()],
        _ if of.len() > ORDERED => {
            (0..of.len()).map(|first| of[first..].iter().chain(&of[..first]).copied().collect()).collect()
        }
        _ => (0..of.len())
            .flat_map(|first| {
                let rest: Vec<_> = of.iter().copied().filter(|at| *at != of[first]).collect();
                orders(&rest).into_iter().map(move |order| [vec![of[first]], order].concat())
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn covered(products: &[Product]) -> Vec<Vec<u32>> {
        let all = |product: &Product| {
            product.iter().fold(vec![Vec::new()], |all, values| {
                all.iter()
                    .flat_map(|begun: &Vec<u32>| values.iter().map(|value| [&begun[..], &[*value]].concat()))
                    .collect()
            })
        };
        let mut covered: Vec<_> = products.iter().flat_map(all).collect();
        covered.sort_unstable();
        covered
    }

    #[test]
    fn a_label_that_differs_with_another_unites_nothing() {
        let host = vec![vec![0, 0, 0], vec![1, 1, 0], vec![2, 2, 0]];
        assert!((0..3).all(|at| !unites(&host, at)));
        assert_eq!(fewest(host).len(), 3);
        assert_eq!(fewest(vec![vec![0, 5, 0], vec![1, 5, 0], vec![2, 5, 0]]).len(), 1);
        assert_eq!((fewest(Vec::new()).len(), fewest(vec![Vec::new()]).len()), (0, 1));
    }

    #[test]
    fn the_most_that_may_be_chosen_with_the_most_labels_that_may_count_are_no_hard_work() {
        let (things, labels) = (500, super::super::LABELS as u32);
        let flipped = |at: u32| (0..labels).map(|label| u32::from(label == at)).collect();
        let singles = (0..=labels).map(flipped).collect::<Vec<Vec<u32>>>();
        assert!((0..labels as usize).all(|at| unites(&singles, at)));
        assert_eq!(fewest(singles).len(), labels as usize, "two of them are one, and the others differ from it");
        let singles: Vec<Vec<u32>> =
            (0..things).map(|thing| (0..labels).map(|label| thing * (1 + label % 7)).collect()).collect();
        assert!((0..labels as usize).all(|at| !unites(&singles, at)), "so that no order is tried");
        assert_eq!(fewest(singles).len(), things as usize);
    }

    proptest! {
        #[test]
        fn each_is_covered_once(singles in proptest::collection::btree_set(proptest::collection::vec(0..3_u32, 5), 0..40)) {
            let singles: Vec<_> = singles.into_iter().collect();
            let products = fewest(singles.clone());
            prop_assert!(products.len() <= singles.len());
            prop_assert_eq!(covered(&products), singles);
        }
    }
}
