//! What a target can do (`Caps`) and what it produces (`Artifact`). Plain data.

/// Properties of a CPU instruction set that decide tile shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuCaps {
    /// Name: `avx512`, `avx2`, `neon`, `portable`, `cranelift`.
    pub name: &'static str,
    /// f32 lanes of a vector register.
    pub lanes: usize,
    /// Vector registers.
    pub registers: usize,
    /// Rows of the contraction's register tile.
    pub rows: usize,
    /// Vectors of the contraction's register tile; a lane tile is `vectors × lanes` wide.
    pub vectors: usize,
    /// Elements of a streamed tile.
    pub stream_tile: usize,
}

impl CpuCaps {
    /// AVX-512F: 32 registers of 16 lanes.
    pub const AVX512: CpuCaps =
        CpuCaps { name: "avx512", lanes: 16, registers: 32, rows: 6, vectors: 4, stream_tile: 96 };
    /// AVX2 + FMA: 16 registers of 8 lanes; 6 × 2 measured best.
    pub const AVX2: CpuCaps = CpuCaps { name: "avx2", lanes: 8, registers: 16, rows: 6, vectors: 2, stream_tile: 96 };
    /// Any CPU that rustc compiles for: 4 lanes.
    pub const PORTABLE: CpuCaps =
        CpuCaps { name: "portable", lanes: 4, registers: 16, rows: 4, vectors: 2, stream_tile: 64 };
    /// Cranelift: 128-bit vectors only.
    pub const CRANELIFT: CpuCaps =
        CpuCaps { name: "cranelift", lanes: 4, registers: 16, rows: 4, vectors: 2, stream_tile: 64 };

    /// Every CPU.
    pub const ALL: [CpuCaps; 4] = [CpuCaps::AVX512, CpuCaps::AVX2, CpuCaps::PORTABLE, CpuCaps::CRANELIFT];

    /// The CPU with this name.
    pub fn by_name(name: &str) -> Option<CpuCaps> {
        CpuCaps::ALL.into_iter().find(|c| c.name == name)
    }

    /// Width of the lane tile in elements.
    pub fn lane_tile(&self) -> i64 {
        (self.lanes * self.vectors) as i64
    }
}

/// A file that a target wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactFile {
    /// File name without folder.
    pub name: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// What a target made of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Target name.
    pub target: String,
    /// Kernel name.
    pub kernel: String,
    /// Files, in a fixed order.
    pub files: Vec<ArtifactFile>,
}
