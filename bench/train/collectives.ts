import { createMesh } from '../../src/mesh/index.js';
import { Builder, verify } from '../../src/program/index.js';
import type { DType, Program } from '../../src/program/index.js';
import { DevicePool } from '../../src/runtime/index.js';
import { stored } from '../../src/runtime/index.js';
import { loadavg } from 'node:os';
import { Copiers } from './memcpy.js';

const mesh = createMesh({ data: 2 });
const BYTES = 44e6;

function program(dtype: DType, bytes: number, pieces: number): Program {
  const builder = new Builder(mesh);
  const length = Math.floor(bytes / (dtype === 'f32' ? 4 : 2) / pieces);
  const type = { shape: [length], dtype, states: { data: 'partial' as const } };
  const inputs = Array.from({ length: pieces }, (_, i) => {
    const name = `${dtype}-${bytes}-${i}`;
    const value = builder.value(type, 'parameter', name);
    return { kind: 'parameter', value, name, group: 'body', initializer: { kind: 'zeros' }, decayed: false } as const;
  });
  const results = builder.emitAll(
    'all_reduce',
    inputs.map((i) => i.value),
    { axis: 'data' },
    { id: 'sum', phase: 'forward' },
  );
  return verify(
    builder.finish(
      inputs,
      results.map((value, i) => ({ name: `gradient:${i}`, value })),
    ),
  );
}

const median = (v: number[]) => v.sort((a, b) => a - b)[v.length >> 1]!;
const pool = await DevicePool.create({
  mesh,
  family: 'onnx',
  threadsPerRank: 1,
  workerUrl: new URL('../../src/cli/rank-worker.js', import.meta.url),
});
const sizes = [
  ['f32', BYTES, 12],
  ['f32', 1024, 1],
  ['f32', 65536, 1],
  ['bf16', BYTES / 2, 12],
  ['f16', BYTES / 2, 12],
] as const;
for (const [dtype, bytes, pieces] of sizes) {
  const made = program(dtype, bytes, pieces);
  await pool.load(`${dtype}${bytes}`, made);
  for (const input of made.inputs) {
    const { shape } = made.values[input.value]!.type;
    await pool.setState(
      `parameter:${'name' in input ? input.name : ''}`,
      [0, 1].map((r) =>
        stored(
          dtype,
          new Float32Array(shape[0]!).map((_, i) => (i % 100) / 7 + r),
        ),
      ),
    );
  }
}
const copiers = new Copiers(2, BYTES);
const times = new Map<string, number[]>();
const put = (k: string, v: number) => times.set(k, [...(times.get(k) ?? []), v]);
for (let round = 0; round < Number(process.argv[2] ?? 15); round++) {
  put('memcpy', await copiers.copy(3));
  for (const [dtype, bytes] of sizes) {
    for (let i = 0; i < 2; i++) {
      const { spans } = await pool.run(`${dtype}${bytes}`);
      const ops = spans.map((l) => l.find((s) => s.id === 'sum')!);
      const t = Math.max(...ops.map((s) => s.end)) - Math.max(...ops.map((s) => s.start));
      if (round > 0) put(`${dtype}${bytes}`, t);
    }
  }
}
const mem = median(times.get('memcpy')!);
console.log('load', loadavg());
for (const [k, v] of times) {
  const m = median(v);
  console.log(
    k,
    (m * 1e3).toFixed(3),
    'ms',
    'best',
    (v[0]! * 1e3).toFixed(3),
    ((100 * mem) / m).toFixed(1) + ' %',
    ((100 * Math.min(...times.get('memcpy')!)) / v[0]!).toFixed(1) + ' %',
  );
}
await pool.close();
await copiers.close();
