/** Small files of the shapes that other tools write. */

const device = (rank: number, node: string): string =>
  `#  Rank ${String(rank).padStart(2)} Group  0 Pid ${15784 + rank} on ${node.padStart(10)} device  ${rank % 4} [0009:01:00] NVIDIA GH200 120GB`;

export interface NcclLine {
  readonly bytes: number;
  readonly microseconds: number;
  readonly wrong?: number | 'N/A';
}

/** What nccl-tests 2.18 prints. */
export function ncclOutput(
  test: string,
  ranks: number,
  perNode: number,
  lines: readonly NcclLine[],
  factor = 2 - 2 / ranks,
): string {
  const row = ({ bytes, microseconds, wrong = 0 }: NcclLine): string => {
    const algorithm = bytes / microseconds / 1e3;
    const figures = `${microseconds.toFixed(2).padStart(8)} ${algorithm.toFixed(2).padStart(7)} ${(factor * algorithm).toFixed(2).padStart(7)}`;
    const redop = /reduce/.test(test) ? 'sum' : 'none';
    return `${String(bytes).padStart(12)} ${String(bytes / 4).padStart(13)}     float ${redop.padStart(7)}      -1 ${figures} ${String(wrong).padStart(6)} ${figures} ${String(wrong).padStart(6)}`;
  };
  return [
    '# nccl-tests version 2.18.2 nccl-headers=23007 nccl-library=23007',
    `# Collective test starting: ${test}`,
    `# nThread 1 nGpus 1 minBytes 1048576 maxBytes 134217728 step: 2(factor) warmup iters: 1 iters: 20 agg iters: 1 validation: 1 graph: 0 unalign: 0`,
    '#',
    '# Using devices',
    ...Array.from({ length: ranks }, (_, rank) => device(rank, `nid00${7106 + Math.floor(rank / perNode)}`)),
    '#',
    '#                                                              out-of-place                       in-place          ',
    '#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong ',
    '#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)  (GB/s)  (GB/s)         ',
    ...lines.map(row),
    '# Out of bounds values : 0 OK',
    '# Avg bus bandwidth    : 11.4041 ',
    '#',
    '',
  ].join('\n');
}

interface KinetoOp {
  readonly name: string;
  readonly dims: readonly unknown[];
  readonly types: readonly string[];
  /** Of its kernels, in µs. */
  readonly kernels: readonly number[];
}

/** A trace as the PyTorch profiler exports it, with these ops one after the other. */
export function kinetoTrace(ops: readonly KinetoOp[], others: readonly object[] = [], devices = 8): object {
  const events: object[] = [];
  let correlation = 100;
  ops.forEach(({ name, dims, types, kernels }, index) => {
    const id = index + 1;
    const args = {
      'External id': id,
      'Record function id': 0,
      'Ev Idx': index,
      'Input Dims': dims,
      'Input type': types,
    };
    events.push({ ph: 'X', cat: 'cpu_op', name, pid: 1, tid: 1, ts: 1000 * id, dur: 50, args });
    for (const dur of kernels) {
      const link = { 'External id': id, correlation: ++correlation };
      events.push(
        { ph: 'X', cat: 'cuda_runtime', name: 'cudaLaunchKernel', pid: 1, tid: 1, ts: 1000 * id, dur: 5, args: link },
        {
          ph: 'X',
          cat: 'kernel',
          name: 'ampere_bf16_s16816gemm_bf16_128x128_ldg8_f2f_stages_32x5_tn',
          pid: 0,
          tid: 7,
          ts: 1000 * id + 20,
          dur,
          args: {
            ...link,
            device: 0,
            stream: 7,
            grid: [32, 8, 1],
            block: [256, 1, 1],
            'est. achieved occupancy %': 25,
          },
        },
      );
    }
  });
  return {
    schemaVersion: 1,
    deviceProperties: Array.from({ length: devices }, (_, id) => ({ id, name: 'NVIDIA A100-SXM4-80GB', numSms: 108 })),
    distributedInfo: { backend: 'nccl', rank: 0, world_size: 16 },
    record_shapes: 1,
    traceEvents: [...events, ...others],
    traceName: 'rank0.pt.trace.json',
  };
}

export const ncclKernel = (dur: number, args: object): object => ({
  ph: 'X',
  cat: 'kernel',
  name: 'ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)',
  pid: 0,
  tid: 20,
  ts: 1,
  dur,
  args: {
    'External id': 9000,
    'Collective name': 'allreduce',
    dtype: 'BFloat16',
    'In msg nelems': 1048576,
    'Out msg nelems': 1048576,
    'Group size': 16,
    'Process Group Ranks': '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]',
    ...args,
  },
});

interface XlaOp {
  readonly name: string;
  readonly microseconds: number;
  readonly args: Readonly<Record<string, string>>;
}

/** A trace as the JAX profiler writes it for a TPU: numbers are text. */
export const xlaTrace = (ops: readonly XlaOp[], track = 'XLA Ops', process = '/device:TPU:0'): object => ({
  displayTimeUnit: 'ns',
  metadata: { 'highres-ticks': true },
  traceEvents: [
    { ph: 'M', pid: 3, name: 'process_name', args: { name: process } },
    { ph: 'M', pid: 3, name: 'process_sort_index', args: { sort_index: 3 } },
    { ph: 'M', pid: 3, tid: 3, name: 'thread_name', args: { name: track } },
    { ph: 'M', pid: 701, name: 'process_name', args: { name: '/host:CPU' } },
    { ph: 'X', pid: 701, tid: 1, ts: 1, dur: 900, name: 'PjitFunction(step)' },
    ...ops.map(({ name, microseconds, args }, index) => ({
      ph: 'X',
      pid: 3,
      tid: 3,
      ts: 10 + 100 * index,
      dur: microseconds,
      name,
      args: { ...args, hlo_op: name },
    })),
    {},
  ],
});
