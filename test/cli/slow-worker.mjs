/** A rank 1 whose kernels take 30 % longer than they would: it computes on, so that its core is as busy as a slow one's. */
import { performance } from 'node:perf_hooks';
import { serveRank } from '../../dist/src/runtime/rank-task.js';
import { createKernelFamily } from '../../dist/src/runtime/kernels/index.js';

const SLOWER = 0.3;

function slowed(kernel) {
  return {
    async run(operands, results) {
      const start = performance.now();
      const found = await kernel.run(operands, results);
      const until = performance.now() + SLOWER * (performance.now() - start);
      while (performance.now() < until);
      return found;
    },
  };
}

export default function serve(task) {
  return serveRank(task, async (...options) => {
    const family = await createKernelFamily(...options);
    if (task.rank !== 1) return family;
    return { ...family, compile: async (spec) => slowed(await family.compile(spec)) };
  });
}
