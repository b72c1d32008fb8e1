/** A process whose ranks, of the onnx family, train a model under a plan, and that looks at how much memory they take. */
import process from 'node:process';
import { URL } from 'node:url';
import { loadHardware } from '../../dist/src/hardware/index.js';
import { checkPlan, lowerJob, parsePlan } from '../../dist/src/job/index.js';
import { rankCount } from '../../dist/src/mesh/index.js';
import { DEFAULT_ADAMW, memoryUse, typeBytes } from '../../dist/src/program/index.js';
import { DevicePool } from '../../dist/src/runtime/index.js';
import { serveChild } from '../../dist/src/runtime/serve-child.js';
import { rankFeeds } from '../../dist/src/train/index.js';

const STEPS = 3;
const PEAK_UNIT_BYTES = 1024;

serveChild({
  /** Bytes: what liveness says of a step and of the state alone, and what was resident, see the test. */
  measure: async ({ model, batch, plan: text, workerUrl }) => {
    const plan = parsePlan(text, 'plan');
    const { mesh } = plan;
    const ranks = rankCount(mesh);
    const hardware = loadHardware('local');
    const program = lowerJob(checkPlan({ model, hardware, chips: ranks, batch, optimizer: DEFAULT_ADAMW }, plan));
    const type = ({ value }) => program.values[value].type;
    const stateBytes = program.inputs
      .filter(({ kind }) => kind !== 'data')
      .reduce((total, input) => total + typeBytes(type(input)), 0);

    const pool = await DevicePool.create({ mesh, family: 'onnx', threadsPerRank: 1, workerUrl: new URL(workerUrl) });
    await pool.load('step', program);
    const loadedBytes = process.memoryUsage.rss();
    await pool.initialize(1);
    const initializedBytes = process.memoryUsage.rss();
    const peakBeforeBytes = process.resourceUsage().maxRSS * PEAK_UNIT_BYTES;
    const { imageSize, channels, classes } = model;
    const images = new Float32Array(batch * imageSize * imageSize * channels).fill(0.5);
    const labels = new Float32Array(batch * classes).fill(0.5);
    const peakBytesByStep = [];
    for (let step = 1; step <= STEPS; step++) {
      const feeds = (rank) => rankFeeds(program, rank, { images, labels }, { 'learning-rate': 1e-3, step });
      await pool.run('step', { feeds });
      peakBytesByStep.push(process.resourceUsage().maxRSS * PEAK_UNIT_BYTES);
    }
    await pool.close();
    const livenessBytes = ranks * memoryUse(program).peakBytes;
    const measured = { loadedBytes, initializedBytes, peakBeforeBytes, peakBytesByStep };
    return { livenessBytes, stateBytes: ranks * stateBytes, ...measured };
  },
});
