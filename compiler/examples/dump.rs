use einattn_compiler::{driver::*, passes::*, target::*};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let text = std::fs::read_to_string(&a[1]).unwrap();
    let set: Vec<(String, String)> =
        a[3..].iter().map(|s| s.split_once('=').map(|(x, y)| (x.into(), y.into())).unwrap()).collect();
    let (c, d) = check_source(&text, &set);
    for d in &d {
        eprintln!("{d:?}");
    }
    let caps = Caps::by_name(&a[2]).unwrap();
    for k in &c.kernels {
        let m = &k.members[0];
        let o = Options::default();
        let r = lower_in_plain_terms(m, Level::Tile, &o.context(m, caps.clone()), &mut |_, _| {});
        match r {
            Ok(ir) => println!("{}", ir.print()),
            Err(e) => println!("{e:?}"),
        }
    }
}
