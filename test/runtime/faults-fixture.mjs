/** A device process whose two ranks run a small program again and again until one of them fails. */
import { URL } from 'node:url';
import { createMesh } from '../../dist/src/mesh/index.js';
import { Builder } from '../../dist/src/program/index.js';
import { DevicePool } from '../../dist/src/runtime/index.js';
import { serveChild } from '../../dist/src/runtime/serve-child.js';

const RUNS = 5;
const mesh = createMesh({ data: 2 });

/** Two kernels, the second of which fails, and a sum over both ranks. `isAlone`: rank 1 has no sum, so rank 0 waits. */
function program(isAlone) {
  const builder = new Builder(mesh);
  const x = builder.value({ shape: [64], dtype: 'f32', states: { data: 'partial' } }, 'input', 'x');
  const at = (id) => ({ id, phase: 'forward' });
  const before = builder.emit('scale', [x], { factor: 2 }, at('before'));
  const scaled = builder.emit('scale', [before], { factor: 2 }, at('scale'));
  const sum = isAlone ? scaled : builder.emit('all_reduce', [scaled], { axis: 'data' }, at('sum'));
  return builder.finish([{ kind: 'data', name: 'x', value: x }], [{ name: 'loss', value: sum }]);
}

serveChild({
  run: async ({ patienceSeconds }, emit, _signal, diaryFile) => {
    const pool = await DevicePool.create({
      mesh,
      family: 'reference',
      threadsPerRank: 1,
      workerUrl: new URL('faulty-worker.mjs', import.meta.url),
      patience: { seconds: patienceSeconds, times: 3 },
      diaryFile,
    });
    try {
      await pool.load('step', program(false));
      for (let run = 1; run <= RUNS; run++) {
        await pool.run('step', { feeds: () => ({ x: new Float32Array(64).fill(run) }) });
        emit(run);
      }
    } finally {
      await pool.close();
    }
  },
});
