import { expect, test } from 'vitest';
import { createMesh } from '../../src/mesh/index.js';
import { forward } from '../../src/models/index.js';
import type { Op, Program } from '../../src/program/index.js';
import { DEFAULT_ADAMW, lowerTrainingStep, print, printOp, regionOps } from '../../src/program/index.js';
import { SMALL_DECODER } from '../helpers/models.js';

const MODEL = { ...SMALL_DECODER, parallelLayers: true, depth: 4 };

/** Rings of four ranks, parameters gathered a layer ahead. */
const ringStep = (): Program =>
  lowerTrainingStep(
    forward(MODEL, {
      mesh: createMesh({ data: 2, model: 4 }),
      batch: 8,
      lossDivisor: 64,
      parameterType: 'f32',
      computeType: 'bf16',
      activations: 'width',
      output: 'loss',
    }),
    {
      microbatches: 1,
      optimizer: DEFAULT_ADAMW,
      linears: 'ring',
      shard: { stage: 'parameters', axes: ['data'], minimumElements: 0, prefetch: 1 },
      overlapGradients: true,
    },
  );

const allOps = (ops: readonly Op[]): Op[] =>
  ops.flatMap((op) => [op, ...(op.region === undefined ? [] : allOps(regionOps(op.region)))]);

test('a layer whose linears are rings and whose parameters are gathered ahead', () => {
  const program = ringStep();
  const layer = program.ops.find(({ id }) => id === 'decoder')!;
  expect(printOp(program, layer)).toMatchInlineSnapshot(`
    "%43 %98 %103 %106 %109 %114 %117 %121 %124 %135 %145 %149 = repeat 4  # decoder
        (%5 = %4 : bf16[4,8,4]{data: 0, model: 2}) (%7 in %40 : f32[4]{model: 0}) (%12 in %41 : f32[8,28]{data: 0, model: 1})
        (%35 in %42 : f32[14,8]{data: 1, model: 0})
      ahead 1
        kernel %12 %35 -> %60 %61  # decoder/in/kernel/cast+1
          %60 = cast %12 : bf16[8,28]{data: 0, model: 1}  # decoder/in/kernel/cast
          %61 = cast %35 : bf16[14,8]{data: 1, model: 0}  # decoder/out/kernel/cast
        %62 %63 = async all_gather %60 %61 axis=data dimensions=[0,1] gradientType=f32 : bf16[16,28]{model: 1}, bf16[14,16]{model: 0}  # gather-parameters/decoder/in/kernel/data
      kernel %5 -> %6 %8  # decoder/norm/widen+1
        %6 = cast %5 : f32[4,8,4]{data: 0, model: 2}  # decoder/norm/widen
        %8 = moments %6 centered=false width=16 : f32[4,8,1]{data: 0, model: partial}  # decoder/norm/moments
      %9 = all_reduce %8 axis=model : f32[4,8,1]{data: 0}  # decoder/norm/reduce
      kernel %6 %9 %7 -> %11  # decoder/norm/normalize+1
        %10 = normalize %6 %9 %7 centered=false epsilon=0.000001 : f32[4,8,4]{data: 0, model: 2}  # decoder/norm/normalize
        %11 = cast %10 : bf16[4,8,4]{data: 0, model: 2}  # decoder/norm/narrow
      %15 = manual model (%225 = %11, %227 = %62) : bf16[4,8,28]{data: 0, model: 2}  # decoder/in/matmul#ring
        %226 = async permute %225 shifts=[1] : bf16[4,8,4]{data: 0}  # decoder/in/matmul/ring/permute
        %229 = matmul %225 (%228 = take %227 dimension=0) : bf16[4,8,28]{data: 0}  # decoder/in/matmul.2!
        %235 %236 = repeat 2 (%230 = %226, %231 = %229)  # decoder/in/matmul/ring
          %232 = async permute %230 shifts=[1] : bf16[4,8,4]{data: 0}  # decoder/in/matmul/ring/permute.2
          %234 = matmul %230 (%233 = take %227 dimension=0 offset=-1 stride=-1) %231 : bf16[4,8,28]{data: 0}  # decoder/in/matmul.3!
          yield %232 %234
        %238 = matmul %235 (%237 = take %227 dimension=0 offset=-3) %236 : bf16[4,8,28]{data: 0}  # decoder/in/matmul.4!
        yield %238
      kernel %15 -> %19 %20 %22 %23 %26 %28 %32 %34  # decoder/split+14
        %16…%20 = split %15 sizes=[8,4,4,6,6] : bf16[4,8,8]{data: 0, model: 2}, bf16[4,8,4]{data: 0, model: 2}, bf16[4,8,4]{data: 0, model: 2}, bf16[4,8,6]{data: 0, model: 2}, bf16[4,8,6]{data: 0, model: 2}  # decoder/split
        %21 = split_heads %17 headWidth=4 : bf16[4,1,8,4]{data: 0, model: 1}  # decoder/attention/key-heads
        %22 = rotary %21 base=10000 : bf16[4,1,8,4]{data: 0, model: 1}  # decoder/attention/key-rotary
        %23 = split_heads %18 headWidth=4 : bf16[4,1,8,4]{data: 0, model: 1}  # decoder/attention/value-heads
        %24 = split_heads %16 headWidth=4 : bf16[4,2,8,4]{data: 0, model: 1}  # decoder/attention/query-heads
        %25 = rotary %24 base=10000 : bf16[4,2,8,4]{data: 0, model: 1}  # decoder/attention/query-rotary
        %26 = group_heads %25 groups=1 : bf16[4,1,16,4]{data: 0, model: 1}  # decoder/attention/group_heads
        %27 = matmul %26 %22 transposeB=true scale=0.5 : bf16[4,1,16,8]{data: 0, model: 1}  # decoder/attention/scores
        %28 = softmax %27 causal=true : bf16[4,1,16,8]{data: 0, model: 1}  # decoder/attention/softmax
        %29 = matmul %28 %23 : bf16[4,1,16,4]{data: 0, model: 1}  # decoder/attention/mix
        %30 = ungroup_heads %29 heads=2 : bf16[4,2,8,4]{data: 0, model: 1}  # decoder/attention/ungroup_heads
        %31 = merge_heads %30 : bf16[4,8,8]{data: 0, model: 2}  # decoder/attention/merge_heads
        %32 = silu %19 : bf16[4,8,6]{data: 0, model: 2}  # decoder/mlp/silu
        %33 = multiply %32 %20 : bf16[4,8,6]{data: 0, model: 2}  # decoder/mlp/gate
        %34 = concat %31 %33 : bf16[4,8,14]{data: 0, model: 2}  # decoder/concat
      %38 = manual model (%239 = %34, %240 = %63) : bf16[4,8,4]{data: 0, model: 2}  # decoder/out/matmul#ring
        %242 = matmul %239 (%241 = take %240 dimension=1 offset=3) : bf16[4,8,4]{data: 0}  # decoder/out/matmul.2!
        %248 = repeat 2 (%243 = %242)  # decoder/out/matmul/ring
          %244 = async permute %243 shifts=[1] : bf16[4,8,4]{data: 0}  # decoder/out/matmul/ring/permute
          %246 = matmul %239 (%245 = take %240 dimension=1 offset=2 stride=-1) : bf16[4,8,4]{data: 0}  # decoder/out/matmul.3!
          %247 = add %246 %244 : bf16[4,8,4]{data: 0}  # decoder/out/matmul/ring/sum!
          yield %247
        %249 = async permute %248 shifts=[1] : bf16[4,8,4]{data: 0}  # decoder/out/matmul/ring/permute.2
        %251 = matmul %239 (%250 = take %240 dimension=1) : bf16[4,8,4]{data: 0}  # decoder/out/matmul.4!
        %252 = add %251 %249 : bf16[4,8,4]{data: 0}  # decoder/out/matmul/ring/sum.2!
        yield %252
      %39 = add %5 %38 : bf16[4,8,4]{data: 0, model: 2}  # decoder/residual!
      yield %39 %34 %20 %32 %19 %23 %28 %22 %26 %11 %9 %5
    "
  `);
});

test('an op alone is printed as in its program', () => {
  const program = ringStep();
  for (const op of program.ops) {
    const indented = printOp(program, op).replace(/^/gm, '  ').trimEnd();
    expect(print(program)).toContain(indented);
  }
});

test('nothing is left out: all values, and the ids of all ops but of blocks that are taken in passing', () => {
  const program = ringStep();
  const text = print(program);
  const named = new Set<number>();
  for (const [, from, to] of text.matchAll(/%(\d+)(?:…%(\d+))?/g)) {
    for (let id = Number(from); id <= Number(to ?? from); id++) named.add(id);
  }
  const ids = new Set(text.split('\n').map((line) => line.split('  # ')[1]));
  for (const op of allOps(program.ops)) {
    for (const id of op.results) expect(named, `%${id} of ${op.id}`).toContain(id);
    // A kernel of one op has the op's id with a mark.
    if (op.name !== 'take') expect(ids.has(op.id) || ids.has(`${op.id}!`), op.id).toBe(true);
  }
});

test('runs of values are written by their ends, equal types once', () => {
  expect(print(ringStep())).toMatch(
    /%\d+…%\d+ = adamw .* : each f32\[8,8\]\{data: 1, model: 0\} {2}# update\/embed\/table$/m,
  );
});
