import { median } from 'simple-statistics';
import { fitProfile, resolveProfile } from '../../src/calibrate/index.js';
import { loadHardware, loadStack } from '../../src/hardware/index.js';
import { measuredJob, usualReference } from './evaluate.js';
import { BENCH_JOBS } from './jobs.js';
import { Measurements } from './measurements.js';

const m = new Measurements(process.argv[2]!);
const usual = usualReference(m.all);
for (const family of ['onnx', 'tfjs-wasm']) {
  const jobs = BENCH_JOBS.filter((job) => job.family === family && m.of(job).length > 0).map((job) =>
    measuredJob(job, m.of(job), usual, 'local'),
  );
  const docs = { hardware: loadHardware('local').document, stack: loadStack('onnxruntime-cpu').document };
  const fitOn = jobs.filter((_, i) => i % 3 === 1);
  const t0 = performance.now();
  const fit = fitProfile(
    docs,
    fitOn.map(({ subject }) => subject),
    'a try',
  );
  console.log(family, 'fit took', ((performance.now() - t0) / 1e3).toFixed(1), 's', 'usual', usual);
  for (const t of fit.terms)
    console.log('  ', t.id.padEnd(50), t.text.padEnd(14), 'x', Math.exp(t.moved).toFixed(2), t.samples);
  const after = resolveProfile(fit.documents);
  const before = resolveProfile(docs);
  const errs: number[] = [];
  for (const { job, subject, stepSeconds, blocks } of jobs) {
    const e = (p: typeof after) => subject.predict(p).at(-1)! / stepSeconds - 1;
    const isFit = fitOn.some((x) => x.job === job);
    if (!isFit) errs.push(Math.abs(e(after)));
    console.log(
      isFit ? 'F' : ' ',
      job.name.padEnd(75),
      (stepSeconds * 1e3).toFixed(1).padStart(7),
      `${(100 * e(before)).toFixed(0)} %`.padStart(7),
      `${(100 * e(after)).toFixed(1)} %`.padStart(8),
      blocks.map((b) => (b * 1e3).toFixed(0)).join(' '),
    );
    if (process.argv[3] === job.name) {
      const p = subject.predict(after);
      subject.samples.forEach((s, i) =>
        console.log('      ', s.what, s.id.padEnd(60), (s.seconds * 1e3).toFixed(2), (p[i]! * 1e3).toFixed(2)),
      );
    }
  }
  console.log('median', median(errs), 'max', Math.max(...errs));
}
