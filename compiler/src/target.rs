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

/// What multiplies matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatrixUnit {
    /// Nothing.
    None,
    /// Warps: 16 × 8 tiles, reads of matrices from shared memory, asynchronous copies.
    Warp,
    /// Warpgroups too: 64 rows, columns in shared memory.
    Warpgroup,
}

/// Properties of a GPU that decide tile shapes and instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuCaps {
    /// Name: `wgsl`, `sm_80`.
    pub name: &'static str,
    /// Threads that run in lockstep and exchange values, where that many are guaranteed.
    pub subgroup: Option<u32>,
    /// Matrix units.
    pub matrix: MatrixUnit,
    /// Bytes of shared memory that a block may use.
    pub shared_bytes: u32,
    /// Words of private tiles that a thread may hold in registers.
    pub private_words: u32,
    /// Rows of a lane tile.
    pub rows: i64,
    /// Elements of a streamed tile.
    pub stream_tile: i64,
}

impl GpuCaps {
    /// WebGPU with its default limits: no subgroups, 16 KiB of workgroup memory.
    pub const WGSL: GpuCaps = GpuCaps {
        name: "wgsl",
        subgroup: None,
        matrix: MatrixUnit::None,
        shared_bytes: 16 << 10,
        private_words: 192,
        rows: 64,
        stream_tile: 32,
    };
    /// NVIDIA GPUs from compute capability 8.0 on.
    pub const SM_80: GpuCaps = GpuCaps {
        name: "sm_80",
        subgroup: Some(32),
        matrix: MatrixUnit::Warp,
        shared_bytes: 96 << 10,
        private_words: 192,
        rows: 64,
        stream_tile: 64,
    };
    /// NVIDIA GPUs of compute capability 9.0.
    pub const SM_90A: GpuCaps = GpuCaps {
        name: "sm_90a",
        subgroup: Some(32),
        matrix: MatrixUnit::Warpgroup,
        shared_bytes: 227 << 10,
        private_words: 192,
        rows: 128,
        stream_tile: 128,
    };

    /// Every GPU.
    pub const ALL: [GpuCaps; 3] = [GpuCaps::WGSL, GpuCaps::SM_80, GpuCaps::SM_90A];

    /// The GPU with this name.
    pub fn by_name(name: &str) -> Option<GpuCaps> {
        GpuCaps::ALL.into_iter().find(|c| c.name == name)
    }
}

/// What kernels are lowered for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caps {
    /// A CPU: lane programs.
    Cpu(CpuCaps),
    /// A GPU: SIMT programs.
    Gpu(GpuCaps),
}

impl Caps {
    /// The CPU or GPU with this name.
    pub fn by_name(name: &str) -> Option<Caps> {
        CpuCaps::by_name(name).map(Caps::Cpu).or_else(|| GpuCaps::by_name(name).map(Caps::Gpu))
    }

    /// Every name.
    pub fn names() -> Vec<&'static str> {
        CpuCaps::ALL.iter().map(|c| c.name).chain(GpuCaps::ALL.iter().map(|c| c.name)).collect()
    }

    /// A lane tile is a multiple of this.
    pub fn lanes(&self) -> i64 {
        match self {
            Caps::Cpu(c) => c.lanes as i64,
            Caps::Gpu(c) => i64::from(c.subgroup.unwrap_or(32)),
        }
    }

    /// Elements of the lane axis at a time.
    pub fn lane_tile(&self) -> i64 {
        match self {
            Caps::Cpu(c) => c.lane_tile(),
            Caps::Gpu(c) => c.rows,
        }
    }

    /// Elements of the lane axis of a recurrence at a time. On a CPU: enough vectors to hide the latency of one sum, and a
    /// state of 128 rows stays in the first-level cache. On a GPU: few, so that there are many blocks.
    pub fn scan_tile(&self) -> i64 {
        const SCAN_VECTORS: usize = 4;
        match self {
            Caps::Cpu(c) => c.lane_tile().max((SCAN_VECTORS * c.lanes) as i64),
            Caps::Gpu(_) => self.lanes(),
        }
    }

    /// True if products read both operands from tiles and add to their sum. On a CPU, operands are read where they are, and every
    /// block has a sum of its own, which rounds less.
    pub fn in_place(&self) -> bool {
        matches!(self, Caps::Gpu(_))
    }

    /// Elements of a streamed rank at a time.
    pub fn stream_tile(&self) -> i64 {
        match self {
            Caps::Cpu(c) => c.stream_tile as i64,
            Caps::Gpu(c) => c.stream_tile,
        }
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
