//! The six files of the common workload: the model, the sweep and an independent computation name the same accounts.

#[path = "common/workload.rs"]
mod workload;
use cofferdam_core::*;
use cofferdam_margin_engine::*;

#[test]
fn the_same_accounts_are_liquidatable() {
    let (sheet, model) = (workload::sheet(), workload::model());
    for name in ["perp-m1", "perp-m4", "perp-m8", "lending-m1", "lending-m4", "lending-m8"] {
        let Some(load) = workload::load(&format!("{name}.csv")) else {
            println!("{name}: skipped, ../shared/workload is absent");
            continue;
        };
        let mut swept = Vec::new();
        SweepBook::new(&load.book, &model).sweep(&sheet, Level::Maintenance, &mut swept).unwrap();
        let mut holdings = Holdings::new();
        let mut below = |id: &GroupId| {
            load.book.view(*id, &sheet, &mut holdings).unwrap();
            model.assess(&holdings.group(*id), &sheet).unwrap().below(Level::Maintenance)
        };
        let assessed: Vec<GroupId> = load.book.groups().filter(|id| below(id)).collect();
        assert_eq!(load.book.len(), 10_000, "{name}");
        assert!(!load.liquidatable.is_empty() && load.liquidatable.len() < 10_000, "{name}");
        assert_eq!(swept, load.liquidatable, "{name}");
        assert_eq!(assessed, load.liquidatable, "{name}");
        println!("{name}: {} of {} liquidatable", load.liquidatable.len(), load.book.len());
    }
}
