//! Terms that a group has chosen (Aave: efficiency mode; fee tiers, account classes of other venues): one model for most, others
//! for groups that are named.

use crate::{MarginError, MarginModel, SafeRange, TermsError};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use cofferdam_core::{GroupId, GroupView, Health, Level, World};

/// A model for every group, and others for groups that are named. A group stands in one list at most, and stays there: what a
/// group has chosen is a parameter, not state.
///
/// ```
/// use cofferdam_core::GroupId;
/// use cofferdam_margin_engine::{ByGroup, CrossMargin, Levels};
/// let model = || CrossMargin::new(Levels::default(), vec![], vec![]).map(|m| Box::new(m) as _);
/// let chosen = vec![(vec![GroupId(7)], model()?), (vec![GroupId(7)], model()?)];
/// assert!(ByGroup::new(model()?, chosen).is_err(), "group 7 cannot have both");
/// # Ok::<(), cofferdam_margin_engine::TermsError>(())
/// ```
#[derive(Debug)]
pub struct ByGroup {
    base: Box<dyn MarginModel>,
    chosen: Vec<Box<dyn MarginModel>>,
    of: BTreeMap<GroupId, usize>,
}

impl ByGroup {
    /// The base for every group that no list names.
    pub fn new(
        base: Box<dyn MarginModel>,
        chosen: Vec<(Vec<GroupId>, Box<dyn MarginModel>)>,
    ) -> Result<Self, TermsError> {
        let mut of = BTreeMap::new();
        let mut models = Vec::with_capacity(chosen.len());
        for (i, (groups, model)) in chosen.into_iter().enumerate() {
            for group in groups {
                if of.insert(group, i).is_some() {
                    let (field, value, accepted) = ("groups", group.0.into(), "each group in one list");
                    return Err(TermsError::Parameter { field, value, accepted });
                }
            }
            models.push(model);
        }
        Ok(Self { base, chosen: models, of })
    }

    fn model(&self, group: GroupId) -> &dyn MarginModel {
        let chosen = self.of.get(&group).and_then(|i| self.chosen.get(*i));
        chosen.unwrap_or(&self.base).as_ref()
    }
}

impl MarginModel for ByGroup {
    fn assess(&self, group: &GroupView<'_>, world: &dyn World) -> Result<Health, MarginError> {
        self.model(group.id).assess(group, world)
    }

    fn safe_ranges(
        &self,
        group: &GroupView<'_>,
        world: &dyn World,
        level: Level,
    ) -> Result<Vec<SafeRange>, MarginError> {
        self.model(group.id).safe_ranges(group, world, level)
    }
}
