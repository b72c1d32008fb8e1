import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Imported, MeasuredEvidence, Work } from '../../../src/calibrate/index.js';
import { evidenceForm, importMeasurements } from '../../../src/calibrate/index.js';
import { rowOf } from '../../validate/rows.js';
import { kinetoTrace, ncclKernel, ncclOutput, xlaTrace } from './files.js';

const TARGET = { hardware: 'a100-80gb-sxm', stack: 'megatron-lm' };
let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'meshwright-import-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Imports a file of this content; what comes of it is evidence by its own form. */
function imported(content: string | Uint8Array | object, name = 'file.txt'): Imported {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content));
  const found = importMeasurements(path, TARGET);
  for (const one of found.evidence) expect(evidenceForm.parse(one)).toEqual(one);
  return found;
}

const worksOf = (evidence: readonly MeasuredEvidence[]) =>
  evidence.flatMap((one) =>
    one.kind === 'work'
      ? one.spans.map(({ work, seconds, runs }) => ({
          work: work as Work,
          // Sums of µs have the last digit of none of them.
          seconds: Number(seconds.toPrecision(12)),
          runs,
        }))
      : [],
  );

describe('nccl-tests', () => {
  const MB = 2 ** 20;
  const lines = [1, 2, 4, 8].map((size) => ({ bytes: size * MB, microseconds: 300 + 40 * size }));

  it('says what a collective of a size takes over how many ranks and nodes', () => {
    const { format, evidence, leftOut } = imported(ncclOutput('all_reduce_perf', 8, 4, lines));
    expect({ format, leftOut }).toEqual({ format: 'nccl-tests output', leftOut: [] });
    expect(evidence).toMatchObject([
      { ranks: 8, group: 'all_reduce over 8', source: expect.stringContaining('GH200') as string },
    ]);
    expect(worksOf(evidence)).toEqual(
      lines.map(({ bytes, microseconds }) => ({
        work: { kind: 'collective', name: 'all_reduce', ranks: 8, ranksPerNode: 4, bytes },
        seconds: expect.closeTo(microseconds / 1e6, 9) as number,
        runs: 20,
      })),
    );
  });

  it('counts the tensor that a rank has before: of an all-gather its share of what is printed', () => {
    const bytesOf = (test: string) =>
      worksOf(imported(ncclOutput(test, 8, 8, lines)).evidence).map(({ work }) => (work as { bytes: number }).bytes);
    expect(bytesOf('all_gather_perf')).toEqual(lines.map(({ bytes }) => bytes / 8));
    for (const test of ['reduce_scatter_perf', 'alltoall_perf', 'sendrecv_perf'])
      expect(bytesOf(test)).toEqual(lines.map(({ bytes }) => bytes));
  });

  it('finds the test in the name of the file, or in what the links carry, and the ranks there too', () => {
    const bare = (text: string): string =>
      text
        .split('\n')
        .filter((line) => !/starting|Rank|version/.test(line))
        .map((line) => `[1,0]<stdout>:${line}`)
        .join('\n');
    const found = imported(bare(ncclOutput('all_reduce_perf', 16, 8, lines)));
    expect(worksOf(found.evidence)[0]!.work).toEqual({ kind: 'collective', name: 'all_reduce', ranks: 16, bytes: MB });
    const named = imported(bare(ncclOutput('all_gather_perf', 4, 4, lines, 3 / 4)), 'all_gather_perf-4.txt');
    expect(worksOf(named.evidence)[0]!.work).toMatchObject({ name: 'all_gather', ranks: 4 });
    expect(() => imported(bare(ncclOutput('all_gather_perf', 4, 4, lines, 3 / 4)))).toThrow(
      /RUN_INVALID .*which test it is of/,
    );
  });

  it('leaves out sizes whose results were wrong, and reads several tables', () => {
    const wrong = [...lines, { bytes: 16 * MB, microseconds: 1000, wrong: 3 }];
    const { evidence, leftOut } = imported(
      ncclOutput('all_reduce_perf', 8, 8, wrong) + ncclOutput('alltoall_perf', 8, 8, lines),
    );
    expect(leftOut).toEqual([{ what: 'all_reduce of 16777216 bytes', why: '3 wrong results', count: 1 }]);
    expect(evidence.map(({ group }) => group)).toEqual(['all_reduce over 8', 'all_to_all over 8']);
  });

  it('deals long tables into parts that each have short and long ones', () => {
    const many = Array.from({ length: 20 }, (_, at) => ({ bytes: 1024 * 2 ** at, microseconds: 20 + 2 ** at / 50 }));
    const { evidence } = imported(ncclOutput('all_reduce_perf', 8, 8, many));
    expect(evidence.map(({ group }) => group)).toEqual(
      [1, 2, 3, 4].map((part) => `all_reduce over 8, part ${part} of 4`),
    );
    expect(new Set(evidence.map(({ id }) => id)).size).toBe(4);
    expect(worksOf(evidence)).toHaveLength(20);
  });

  it.each([
    ['a table that ended before its first line', ncclOutput('all_reduce_perf', 8, 8, []), /lines with sizes and times/],
    ['one rank', ncclOutput('all_reduce_perf', 1, 1, lines, 1), /at least two ranks, got 1/],
    ['another test', ncclOutput('broadcast_perf', 8, 8, lines, 1), /the output of all_reduce_perf.*got broadcast_perf/],
    [
      'a line that is broken',
      ncclOutput('all_reduce_perf', 8, 8, lines).replace('340.00', 'FAILED'),
      /file\.txt:\d+: expected a size/,
    ],
  ])('refuses %s', (_, text, message) => {
    expect(() => imported(text)).toThrow(message);
  });
});

describe('a trace of the PyTorch profiler', () => {
  const bf16 = 'c10::BFloat16';
  const mm = {
    name: 'aten::mm',
    dims: [
      [4096, 1024],
      [1024, 512],
    ],
    types: [bf16, bf16],
    kernels: [100],
  };

  it('says what matmuls and memory-bound kernels of a size take, all kernels of an op together', () => {
    const { evidence } = imported(
      kinetoTrace([
        mm,
        { ...mm, kernels: [120] },
        { ...mm, kernels: [110, 30] },
        {
          name: 'aten::addmm',
          dims: [[512], [4096, 1024], [1024, 512], [], []],
          types: [bf16, bf16, bf16, 'Scalar', 'Scalar'],
          kernels: [90],
        },
        {
          name: 'aten::bmm',
          dims: [
            [16, 128, 64],
            [16, 64, 128],
          ],
          types: ['c10::Half', 'c10::Half'],
          kernels: [12],
        },
        { name: 'aten::add', dims: [[4096, 1024], [4096, 1024], []], types: [bf16, bf16, 'Scalar'], kernels: [20] },
        {
          name: 'aten::native_layer_norm',
          dims: [[4096, 1024], [], [1024], [1024], []],
          types: ['float', '', 'float', 'float', 'Scalar'],
          kernels: [25],
        },
      ]),
      'trace.json',
    );
    const works = worksOf(evidence);
    expect(works).toContainEqual({
      work: { kind: 'matmul', dtype: 'bf16', batch: 1, m: 4096, k: 1024, n: 512 },
      seconds: 110e-6,
      runs: 4,
    });
    expect(works).toContainEqual({
      work: { kind: 'matmul', dtype: 'f16', batch: 16, m: 128, k: 64, n: 128 },
      seconds: 12e-6,
      runs: 1,
    });
    // Two read, one written, two bytes each.
    expect(works).toContainEqual({
      work: { kind: 'memory', class: 'elementwise', bytes: 3 * 2 * 4096 * 1024 },
      seconds: 20e-6,
      runs: 1,
    });
    expect(works).toContainEqual({
      work: { kind: 'memory', class: 'norm', bytes: 2 * 4 * 4096 * 1024 + 2 * 4 * 1024 },
      seconds: 25e-6,
      runs: 1,
    });
    expect(works).toHaveLength(4);
  });

  it('says what collectives take by the fastest of their runs, since others wait in them, and where ranks lie', () => {
    const { evidence } = imported(
      kinetoTrace(
        [mm],
        [900, 400, 410, 405, 5000].map((dur) => ncclKernel(dur, {})),
      ),
      'trace.json',
    );
    const [found] = worksOf(evidence).filter(({ work }) => work.kind === 'collective');
    expect(found!.work).toEqual({
      kind: 'collective',
      name: 'all_reduce',
      ranks: 16,
      ranksPerNode: 8,
      bytes: 2 * 1048576,
    });
    expect(found!.seconds).toBeLessThan(410e-6);
  });

  it('finds the op by the call that launched a kernel, where the kernel does not name it', () => {
    const trace = kinetoTrace([mm]) as { traceEvents: { cat?: string; args: Record<string, unknown> }[] };
    for (const event of trace.traceEvents) if (event.cat === 'kernel') delete event.args['External id'];
    expect(worksOf(imported(gzipSync(JSON.stringify(trace)), 'trace.json.gz').evidence)).toHaveLength(1);
  });

  it('says what it leaves out and why', () => {
    const { leftOut } = imported(
      kinetoTrace(
        [
          mm,
          {
            name: 'aten::_scaled_dot_product_flash_attention',
            dims: [[8, 16, 1024, 64]],
            types: [bf16],
            kernels: [50],
          },
          {
            name: 'aten::mm',
            dims: [
              [4096, 1024],
              [1024, 512],
            ],
            types: ['long int', 'long int'],
            kernels: [100],
          },
        ],
        [ncclKernel(10, { 'Collective name': undefined }), ncclKernel(10, { 'Collective name': 'broadcast' })],
      ),
      'trace.json',
    );
    expect(leftOut.map(({ what, why }) => `${what}: ${why}`)).toEqual([
      'collectives: its size and group are not in the trace (PyTorch 2.2 and later write them)',
      'collectives: broadcast is none of those that are simulated',
      'aten::_scaled_dot_product_flash_attention: how many bytes it moves is not known of its inputs',
      'aten::mm: no rate is kept for long int',
    ]);
  });

  it.each([
    [
      'without kernels of a GPU',
      { ...kinetoTrace([{ ...mm, kernels: [] }]) },
      /kernels of a GPU, got none; .*ProfilerActivity\.CUDA/,
    ],
    ['without shapes', kinetoTrace([{ ...mm, dims: undefined as never }]), /shapes are known.*record_shapes=True/],
  ])('is refused %s', (_, trace, message) => {
    expect(() => imported(trace, 'trace.json')).toThrow(message);
  });
});

describe('a trace of the JAX profiler', () => {
  const product = {
    name: 'fusion.89',
    microseconds: 60,
    args: {
      long_name:
        '%fusion.89 = bf16[8192,4096]{1,0:T(8,128)(2,1)} fusion(bf16[8192,1024]{1,0:T(8,128)(2,1)} %p.1, bf16[1024,4096]{1,0} %p.2), kind=kOutput, calls=%fused_computation.3',
      hlo_category: 'convolution fusion',
      model_flops: String(2 * 8192 * 4096 * 1024),
      bytes_accessed: '92274688',
    },
  };

  it('says what products, bytes moved and collectives take', () => {
    const trace = xlaTrace([
      product,
      { ...product, microseconds: 62 },
      {
        name: 'fusion.2',
        microseconds: 30,
        args: { hlo_category: 'loop fusion', bytes_accessed: '50331648', long_name: '%fusion.2 = …' },
      },
      {
        name: 'all-reduce.5',
        microseconds: 400,
        args: {
          hlo_category: 'all-reduce',
          bytes_accessed: '8388608',
          long_name:
            '%all-reduce.5 = bf16[2048,1024]{1,0} all-reduce(bf16[2048,1024]{1,0} %x), channel_id=1, replica_groups={{0,1,2,3},{4,5,6,7}}, to_apply=%add',
        },
      },
      {
        name: 'all-gather.1',
        microseconds: 200,
        args: {
          hlo_category: 'all-gather',
          long_name:
            '%all-gather.1 = f32[4096]{0} all-gather(f32[512]{0} %y), replica_groups=[2,8]<=[16], dimensions={0}',
        },
      },
      { name: 'while.1', microseconds: 5000, args: { hlo_category: 'while' } },
    ]);
    const { evidence, leftOut, format } = imported(gzipSync(JSON.stringify(trace)), 'host.trace.json.gz');
    expect(format).toBe('a trace of the JAX profiler');
    expect(worksOf(evidence)).toEqual([
      { work: { kind: 'matmul', dtype: 'bf16', batch: 1, m: 8192, n: 4096, k: 1024 }, seconds: 61e-6, runs: 2 },
      { work: { kind: 'memory', bytes: 50331648, class: 'elementwise' }, seconds: 30e-6, runs: 1 },
      { work: { kind: 'collective', name: 'all_reduce', ranks: 4, bytes: 2 * 2048 * 1024 }, seconds: 400e-6, runs: 1 },
      { work: { kind: 'collective', name: 'all_gather', ranks: 8, bytes: 4 * 512 }, seconds: 200e-6, runs: 1 },
    ]);
    expect(leftOut).toMatchObject([{ what: 'while', count: 1 }]);
  });

  it.each([
    [
      'of a GPU, which has no sizes',
      xlaTrace([product], 'Stream #17(Compute)', '/device:GPU:0'),
      /a track "XLA Ops".*\/device:GPU:0 without one.*nccl-tests/,
    ],
    ['whose ops have no categories', xlaTrace([{ ...product, args: {} }]), /ops with a category and sizes/],
  ])('is refused %s', (_, trace, message) => {
    expect(() => imported(trace, 'trace.json')).toThrow(message);
  });
});

describe('a table of runs', () => {
  const ROW = rowOf({});
  const line = (changes: object) => JSON.stringify({ ...ROW, ...changes });

  it('gives the step times of the runs that are of the profile', () => {
    const { evidence, leftOut } = imported(
      [
        line({}),
        line({ id: 'other', stack: 'pytorch-fsdp' }),
        line({ id: 'bare', measured: {} }),
        line({ id: 'far', hardware: { ...ROW.hardware, network: { interNodeBytesPerSecondPerNode: 1e9 } } }),
        line({ id: 'flash', plan: { ...ROW.plan, attention: 'flash' } }),
      ].join('\n'),
      'runs.jsonl',
    );
    expect(evidence).toMatchObject([
      {
        kind: 'step',
        ranks: ROW.hardware.chips,
        stepSeconds: [ROW.measured.stepTimeSeconds],
        job: { hardware: TARGET.hardware },
      },
    ]);
    expect(leftOut.map(({ what, why }) => `${what}: ${why}`)).toEqual([
      'other: it is of the stack pytorch-fsdp, not of megatron-lm',
      'bare: it has no measured step time',
      'far: its nodes or its network are not those of the profile',
      'flash: its kernels are not those that its stack usually has',
    ]);
  });

  it('is refused where no run is of the profile', () => {
    expect(() => imported(line({ hardware: { ...ROW.hardware, chip: 'tpu-v4' } }), 'runs.jsonl')).toThrow(
      /RUN_INVALID at runs\.jsonl: expected a run on a100-80gb-sxm with the stack megatron-lm.*it is of tpu-v4/,
    );
  });
});

describe('what is none of them', () => {
  it.each([
    ['an empty file', '', /an empty file/],
    ['text', 'step 1: 0.3 s', /text that begins with "step 1: 0\.3 s"/],
    ['bytes', new Uint8Array([1, 0, 2, 0]), /a zero byte/],
    ['JSON of something else', '{"loss": 3, "step": 1}', /got JSON with loss, step/],
    [
      'a trace that is cut short',
      JSON.stringify(kinetoTrace([])).slice(0, 200),
      /a whole trace, got one that is cut short or damaged/,
    ],
    [
      'a gzip file that is cut short',
      gzipSync('{"traceEvents": []}').subarray(0, 20),
      /a gzip file that can be unpacked/,
    ],
    ['a trace of something else', '{"traceEvents": [{"ph": "X", "name": "paint"}]}', /a trace of neither/],
    ['evidence of another form', '{"schema": "meshwright/evidence@1", "kind": "run"}', /RUN_INVALID/],
  ])('%s is refused with what can be read', (_, content, message) => {
    expect(() => imported(content)).toThrow(message);
  });

  it('a file that is not there is refused', () => {
    expect(() => importMeasurements(join(folder, 'nowhere.json'), TARGET)).toThrow(
      /RUN_INVALID at .*nowhere\.json: expected a file that can be read/,
    );
  });
});
