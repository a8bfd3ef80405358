use einattn_compiler::{driver, target::CpuCaps};
fn main() {
    let t = std::fs::read_to_string(std::env::args().nth(1).unwrap()).unwrap();
    let lv = std::env::args().nth(2).unwrap();
    let (c, d) = driver::check_source(&t, &[]);
    for x in &d {
        println!("{:?} {}", x.code, x.message)
    }
    for k in &c.kernels {
        for m in &k.members {
            let r = driver::lower_observed(m, &CpuCaps::AVX2, &Default::default(), &mut |l| {
                if l.name().starts_with(lv.as_str()) {
                    println!("{}", l.text())
                }
            });
            match r {
                Ok(l) => {
                    if lv == "rust" {
                        println!("{}", einattn_target_rust::emit(&[vec![(CpuCaps::AVX2, l)]]).unwrap())
                    }
                }
                Err(e) => println!("{e:#?}"),
            }
        }
    }
}
