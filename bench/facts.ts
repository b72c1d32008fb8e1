/**
 * `npm run facts`: what published runs on TPU v4 reached beside what is predicted of them, all from the same profiles of
 * chip and stack, with no constant of any model. `-- --json` prints a document instead of the table.
 */
import type { JobSimulation } from '../src/cli/assess.js';
import { Checks } from './checks.js';
import { categories, nearestTo, predict, predictFitting, rangeOf } from './facts/predict.js';
import type { Run } from './facts/predict.js';
import { MAXTEXT_22B, PALM_POD, PUBLISHED, vit22bRuns, vitERuns } from './facts/published.js';

/** Percentage points. */
const CLOSE = 4;
const within = (published: number) => [published - CLOSE, published + CLOSE] as const;

const facts = new Checks();
const mfu = ({ mfu }: JobSimulation): number => 100 * mfu;
const points = (value: number): string => value.toFixed(1);
const described = (name: string, one: JobSimulation): string =>
  `${name} ${points(mfu(one))} %: ${one.plan} on ${one.chips} (${categories(one)})`;

function vit22b(): JobSimulation {
  const runs = predictFitting(vit22bRuns());
  const [least, most] = rangeOf(runs.map(mfu));
  const published = PUBLISHED.vit22b;
  facts.add('ViT-22B, plans that fit', runs.length, 'plans');
  facts.add('ViT-22B, published MFU in the predicted range', published, '%', [least, most], 'the bound is predicted');
  const nearest = nearestTo(published, runs, mfu);
  facts.add('ViT-22B, MFU of the nearest plan', mfu(nearest), '%', within(published), `published ${published} %`);
  facts.note(described('ViT-22B nearest', nearest));
  const best = nearestTo(100, runs, mfu);
  facts.note(described('ViT-22B best', best));
  facts.note(described('ViT-22B worst', nearestTo(0, runs, mfu)));
  return nearest;
}

function maxtext(): void {
  const published = PUBLISHED.maxtext22b;
  for (const run of MAXTEXT_22B) {
    const one = predict(run);
    const by6N = (100 * 6 * one.formulaParameters * one.tokensPerSecondPerChip) / one.peakFlopsPerSecondPerChip;
    const type = run.plan.includes('gradients=bf16') ? 'bf16' : 'f32';
    facts.add(`MaxText 22B, MFU by 6·N, gradients ${type}`, by6N, '%', within(published), `published ${published} %`);
    facts.note(described('MaxText 22B', one));
  }
}

function palm(): void {
  const one = predict(PALM_POD);
  const { mfu: used, hfu } = PUBLISHED.palm;
  facts.add('PaLM 540B, one pod of two, MFU', mfu(one), '%', within(used), `published ${used} %, two pods`);
  facts.add('PaLM 540B, one pod of two, HFU', 100 * one.hfu, '%', within(hfu), `published ${hfu} %, two pods`);
  facts.note(described('PaLM 540B', one));
  const ahead = predict({ ...PALM_POD, plan: PALM_POD.plan.replace('prefetch=0', 'prefetch=1') });
  facts.add('  had it gathered a layer ahead, MFU', mfu(ahead), '%');
}

function vitE(vit22b: JobSimulation): void {
  const runs = predictFitting(vitERuns());
  const [least, most] = rangeOf(runs.map(mfu));
  const published = PUBLISHED.vitE;
  facts.add('ViT-e, plans that fit', runs.length, 'plans');
  facts.add('ViT-e, published MFU in the predicted range', published, '%', [least, most], 'the bound is predicted');
  const nearest = nearestTo(published, runs, mfu);
  facts.note(described('ViT-e nearest', nearest));
  facts.note(described('ViT-e best', nearestTo(100, runs, mfu)));
  facts.note(described('ViT-e worst', nearestTo(0, runs, mfu)));
  facts.note(`  beside ViT-22B: ${categories(vit22b)}`);
}

/** In percent, how much faster the second is. */
const speedup = (slow: Run, fast: Run): number =>
  100 * (predict(slow).stepTimeSeconds / predict(fast).stepTimeSeconds - 1);

function layerChoices(): void {
  const serial = { ...PALM_POD, model: { preset: 'palm-540b', parallelLayers: false } };
  facts.add(
    'PaLM 540B, parallel layers against serial',
    speedup(serial, PALM_POD),
    '% faster',
    [10, 20],
    'published: about 15 % (Chowdhery et al. 2022, §2)',
  );
  const lean: Run = { model: 'vit-22b', chips: 1024, batch: 65536, plan: ASYNCHRONOUS_VIT };
  const biased = { ...lean, model: { preset: 'vit-22b', omitBiases: false } };
  facts.add(
    'ViT-22B, without biases of QKV and norms',
    speedup(biased, lean),
    '% faster',
    [0, 100],
    'published: 3 % more utilization (Dehghani et al. 2023, §2)',
  );
}

const ASYNCHRONOUS_VIT = 'data=128,model=8 linears=bidirectional microbatches=8 shard=parameters shard-minimum=1000000';

/** Whole steps, most of which are the transformer's layers. */
const LINEAR_CASES: readonly (readonly [string, Run])[] = [
  ...[8, 16].map((k) => {
    const plan = `data=${1024 / k},model=${k} microbatches=16 shard=parameters shard-minimum=1000000`;
    return [`ViT-22B, k = ${k}`, { model: 'vit-22b', chips: 1024, batch: 65536, plan }] as const;
  }),
  ['PaLM 540B, k = 12', PALM_POD],
];

function asynchronousLinears(): void {
  for (const [name, run] of LINEAR_CASES) {
    const ratio =
      predict(run).stepTimeSeconds / predict({ ...run, plan: `${run.plan} linears=bidirectional` }).stepTimeSeconds;
    facts.add(`asynchronous linears, ${name}`, ratio, '×', [1.1, 1.5], '1.14–1.38 (Wang et al. 2023)');
  }
}

const nearest = vit22b();
maxtext();
palm();
vitE(nearest);
layerChoices();
asynchronousLinears();
facts.print('fact', 'beside');
