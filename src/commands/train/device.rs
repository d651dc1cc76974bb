//! What computes: `training.engine` and `training.device`.

use agon_train::engine::Device;

/// The device of these settings and its threads; as many as there are cores where it names none.
pub fn device(engine: &str, text: &str) -> Result<(Device, Option<usize>), String> {
    let (name, number) = match text.split_once(':') {
        Some((name, number)) => (name, Some(number.parse::<usize>().ok())),
        None => (text, None),
    };
    let libtorch = engine == "libtorch";
    match (name, number) {
        ("cpu", None) => Ok((processor(libtorch)?, None)),
        ("cpu", Some(Some(threads))) if threads > 0 => Ok((processor(libtorch)?, Some(threads))),
        ("gpu" | "cuda", None) => Ok((card(libtorch, 0)?, None)),
        ("gpu" | "cuda", Some(Some(index))) => Ok((card(libtorch, index)?, None)),
        _ => Err(format!(
            "there is no device {text:?}; use cpu, cpu:<threads>, gpu or gpu:<number>"
        )),
    }
}

fn processor(libtorch: bool) -> Result<Device, String> {
    match (libtorch, cfg!(feature = "libtorch")) {
        (false, _) => Ok(Device::Processor),
        (true, true) => Ok(Device::Libtorch),
        (true, false) => Err(without_libtorch()),
    }
}

fn card(libtorch: bool, index: usize) -> Result<Device, String> {
    match libtorch {
        true if cfg!(feature = "libtorch") => Ok(Device::LibtorchCuda(index)),
        true => Err(without_libtorch()),
        false if cfg!(feature = "cuda") => Ok(Device::Cuda(index)),
        false if cfg!(feature = "wgpu") => Ok(Device::Wgpu(index)),
        false => Err(
            "this program was built without an engine for graphics processors; build it with \
             --features cuda or --features wgpu, or use cpu or cpu:<threads>"
                .into(),
        ),
    }
}

fn without_libtorch() -> String {
    "this program was built without libtorch; build it with --features libtorch, or use the engine burn".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_as_users_know_them() {
        assert_eq!(device("burn", "cpu"), Ok((Device::Processor, None)));
        assert_eq!(device("burn", "cpu:4"), Ok((Device::Processor, Some(4))));
        for wrong in ["", "tpu", "cpu:0", "cpu:many", "cpu:", "gpu:x"] {
            let error = device("burn", wrong).unwrap_err();
            assert!(error.contains("use cpu"), "{wrong}: {error}");
        }
    }

    #[test]
    fn what_is_not_built_in_is_named() {
        for (engine, name, feature, built) in [
            ("libtorch", "cpu", "libtorch", cfg!(feature = "libtorch")),
            (
                "burn",
                "gpu:1",
                "cuda",
                cfg!(any(feature = "cuda", feature = "wgpu")),
            ),
        ] {
            match device(engine, name) {
                Ok(_) => assert!(built),
                Err(error) => assert!(!built && error.contains(feature), "{error}"),
            }
        }
    }
}
