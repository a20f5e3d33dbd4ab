//! A protocol's own binary. One line links the layer; its kind is then in the list of modules and stack files may name it.

use acme_reinstated_excess as _;

use cofferdam_testkit::stack::modules;

fn main() {
    for module in modules() {
        println!("{} {}: {}", module.room, module.kind, module.summary);
    }
}
