/** A process with one rank of the onnx family that trains a model and looks at how much memory it takes. */
import process from 'node:process';
import { createMesh } from '../../dist/src/mesh/index.js';
import { vitForward } from '../../dist/src/models/index.js';
import { DEFAULT_ADAMW, elementCount, lowerTrainingStep, memoryUse, typeBytes } from '../../dist/src/program/index.js';
import { createClock } from '../../dist/src/runtime/clock.js';
import { createKernelFamily } from '../../dist/src/runtime/kernels/index.js';
import { createTransportMemory, Rank, Transport } from '../../dist/src/runtime/index.js';
import { serveChild } from '../../dist/src/runtime/serve-child.js';

const STEPS = 3;
const PEAK_UNIT_BYTES = 1024;

serveChild({
  /** Bytes: what liveness says of a step and of the state alone, and what was resident, see the test. */
  measure: async ({ model, batch, microbatches, rematerialize }) => {
    const mesh = createMesh({});
    const options = { mesh, batch, lossDivisor: batch * microbatches, parameterType: 'f32', computeType: 'f32' };
    const forward = vitForward(model, { ...options, output: 'loss' });
    const program = lowerTrainingStep(forward, { microbatches, rematerialize, optimizer: DEFAULT_ADAMW });
    const type = ({ value }) => program.values[value].type;
    const { peakBytes } = memoryUse(program);
    const stateBytes = program.inputs
      .filter(({ kind }) => kind !== 'data')
      .reduce((total, input) => total + typeBytes(type(input)), 0);

    const transport = new Transport(createTransportMemory(mesh, 1), 0, { timeoutSeconds: 1 });
    const family = await createKernelFamily('onnx');
    const rank = new Rank({ mesh, rank: 0, family, transport, clock: createClock(), keepsArrays: true });
    await rank.load('step', program);
    const loadedBytes = process.memoryUsage.rss();
    rank.initialize(1);
    const initializedBytes = process.memoryUsage.rss();
    const peakBeforeBytes = process.resourceUsage().maxRSS * PEAK_UNIT_BYTES;
    const feedOf = (input) => {
      const { shape, stack } = type(input);
      const one = () => new Float32Array(elementCount(shape)).fill(0.5);
      return stack === undefined ? one() : Array.from({ length: stack }, one);
    };
    const peakBytesByStep = [];
    for (let step = 1; step <= STEPS; step++) {
      const feeds = program.inputs.filter(({ kind }) => kind === 'data').map((input) => [input.name, feedOf(input)]);
      await rank.run('step', Object.fromEntries(feeds), [], 0);
      peakBytesByStep.push(process.resourceUsage().maxRSS * PEAK_UNIT_BYTES);
    }
    return { livenessBytes: peakBytes, stateBytes, loadedBytes, initializedBytes, peakBeforeBytes, peakBytesByStep };
  },
});
