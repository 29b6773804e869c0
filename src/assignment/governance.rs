//! Who governs the rules: three functions, and never one person alone.
//!
//! The strategist and the head of the first line propose how we work; the communications chief, who owns the audit,
//! approves. Whoever proposed a change cannot approve it, also when she stands in for the chief that day.

use super::Organisation;
use super::absence::Absence;
use crate::clock::Time;

impl Organisation {
    /// True when she may propose a change of a rule: she has one of the three governing functions.
    #[must_use]
    pub fn proposes_rules(&self, staff: &str, at: Time) -> bool {
        [&self.communications_chief, &self.contact_center_chief, &self.strategist]
            .into_iter()
            .any(|function| self.has_function(staff, function, at))
    }

    /// True when she may approve what somebody proposed: she holds the communications chief's function now, and the
    /// proposal is not her own.
    #[must_use]
    pub fn approves_rules(&self, staff: &str, proposer: &str, absences: &[Absence], at: Time) -> bool {
        staff != proposer && self.approver_of(proposer, absences, at) == Some(staff)
    }

    /// Who approves what somebody proposed: the first with the communications chief's function who is here and did not
    /// propose it. Nobody, when there is no such person: then the change waits.
    #[must_use]
    pub fn approver_of(&self, proposer: &str, absences: &[Absence], at: Time) -> Option<&str> {
        let chief = self.function(&self.communications_chief)?;
        chief.staff.iter().map(String::as_str).find(|key| *key != proposer && self.present(key, absences, at))
    }

    /// True when she is employed and among those who can have the function.
    #[must_use]
    pub fn has_function(&self, staff: &str, function: &str, at: Time) -> bool {
        self.staff_at(staff, at).is_some()
            && self.function(function).is_some_and(|function| function.staff.iter().any(|key| key == staff))
    }
}

#[cfg(test)]
mod tests {
    use crate::assignment::example::{NOW, ale, gone};

    #[test]
    fn nobody_approves_her_own_proposal() {
        let ale = ale();
        assert!(ale.approves_rules("hedda-exempel", "ivar-provsson", &[], NOW));
        assert!(!ale.approves_rules("hedda-exempel", "hedda-exempel", &[], NOW));
        // The strategist stands in for the chief, but not for what he proposed himself.
        let away = [gone("hedda-exempel")];
        assert!(ale.approves_rules("ivar-provsson", "frida-fiktiv", &away, NOW));
        assert!(!ale.approves_rules("ivar-provsson", "ivar-provsson", &away, NOW));
        assert_eq!(ale.approver_of("ivar-provsson", &away, NOW), None);
    }

    #[test]
    fn only_those_who_govern_propose() {
        let ale = ale();
        assert!(ale.proposes_rules("frida-fiktiv", NOW));
        assert!(!ale.proposes_rules("tyra-fiktivlund", NOW));
    }
}
