/** What a person wants to know first: the key figures, the plan in words, what bounds it, what would help. */
import type { Subject } from '../document.js';
import { tableHtml } from '../figure.js';
import type { Content, Html } from '../html.js';
import { html } from '../html.js';
import { count, error, percent, rate, short, size, time, whole } from '../words.js';
import { memoryWords } from './memory.js';
import { boundSentence, boundWords } from './time.js';

interface Tile {
  readonly name: string;
  readonly value: string;
  readonly about: string;
  readonly isBad?: boolean;
}

function tilesOf(subject: Subject): Tile[] {
  const { step, run } = subject;
  const { stepTimeInterval: interval, mfuInterval } = step;
  const plan = run?.plans[0];
  const exposed = step.exposedCommunicationSeconds;
  return [
    ...(plan === undefined
      ? []
      : [
          {
            name: 'Measured step',
            value: time(plan.measured.stepTimeSeconds),
            about: `predicted ${time(plan.predicted.stepTimeSeconds)} before, ${error(plan.predicted.stepTimeSeconds, plan.measured.stepTimeSeconds)}`,
          },
          {
            name: 'Measured MFU',
            value: percent(plan.measured.mfu),
            about: `predicted ${percent(plan.predicted.mfu)} before`,
          },
        ]),
    {
      name: plan === undefined ? 'Step time' : 'Step time, simulated',
      value: time(step.stepTimeSeconds),
      about: step.fits ? `${time(interval.p10)} – ${time(interval.p90)} in 8 of 10 runs` : 'if it fitted',
    },
    {
      name: plan === undefined ? 'MFU' : 'MFU, simulated',
      value: percent(step.mfu),
      about: step.fits ? `${percent(mfuInterval.p10)} – ${percent(mfuInterval.p90)} in 8 of 10 runs` : 'if it fitted',
    },
    {
      name: 'Least possible',
      value: time(step.bounds.seconds),
      about: `${whole(step.boundShare)} of the step: ${boundWords(subject)}`,
    },
    {
      name: 'Memory a chip',
      value: size(step.peakMemoryBytesPerChip),
      about: step.fits ? memoryWords(subject).replace(/^.*? of /, 'of ') : `does not fit: ${memoryWords(subject)}`,
      isBad: !step.fits,
    },
    {
      name: 'Exposed communication',
      value: whole(exposed / step.stepTimeSeconds),
      about:
        step.overlapFraction === null
          ? 'nothing is sent'
          : `${time(exposed)}; ${whole(step.overlapFraction)} of communication is hidden`,
    },
    ...(step.pipeline === undefined
      ? []
      : [
          {
            name: 'Bubble',
            value: whole(step.pipeline.bubbleFraction),
            about: `${step.pipeline.schedule}, ${step.pipeline.byStage.length} stages`,
          },
        ]),
    {
      name: 'Tokens a second',
      value: short(step.tokensPerSecond),
      about: `${count(Math.round(step.tokensPerSecondPerChip))} a chip`,
    },
    ...(step.training === null ? [] : [trainingTile(step.training)]),
  ];
}

const UNITS = [
  ['days', 1],
  ['hours', 1 / 24],
  ['minutes', 1 / 1440],
] as const;

function trainingTile({ steps, tokens, days, dollars }: NonNullable<Subject['step']['training']>): Tile {
  const unit = UNITS.find(([, most]) => days >= most);
  return {
    name: 'The training',
    value: unit === undefined ? time(days * 86400) : `${short(days / unit[1])}\u00a0${unit[0]}`,
    about: `${count(steps)} steps, ${short(tokens)} tokens${dollars === null ? '' : `, ${short(dollars)} USD`}`,
  };
}

export const tilesHtml = (subject: Subject): Html =>
  html`<dl class="tiles">
    ${tilesOf(subject).map(
      ({ name, value, about, isBad = false }) =>
        html`<div class="tile${isBad ? ' bad' : ''}">
          <dt>${name}</dt>
          <dd>${value}<small>${about}</small></dd>
        </div>`,
    )}
  </dl> `;

/** What one has to know to trust the figures, where it isn't the usual. */
function caveats({ step, run }: Subject): Content[] {
  const recorded = run?.plans[0]?.predicted.stepTimeSeconds;
  const differs = recorded !== undefined && Math.abs(recorded / step.stepTimeSeconds - 1) > 0.005;
  return [
    ...(step.fits
      ? []
      : [
          html`<p class="bad">
            <strong>This plan does not fit.</strong> Times are what they would be with more memory.
          </p>`,
        ]),
    ...(step.folded || step.unfolded !== null
      ? []
      : [
          html`<p>
            An estimate: chips differ, and one with the slowest links stands for
            all${step.pipeline === undefined ? '; simulate --unfold runs each' : ''}.
          </p>`,
        ]),
    ...(step.faults.length === 0 ? [] : [html`<p>Broken: ${step.faults.join(', ')}.</p>`]),
    ...(differs
      ? [
          html`<p>
            The run was predicted at ${time(recorded!)}; simulated anew by this version, its step takes
            ${time(step.stepTimeSeconds)}. What is compared with measurements is the former, what is drawn of the step
            the latter.
          </p>`,
        ]
      : []),
  ];
}

/** Names of options in it are between backticks. */
const withCode = (text: string): Content =>
  text.split('`').map((piece, index) => (index % 2 === 1 ? html`<code>${piece}</code>` : piece));

/** A plan in words, part by part. */
export const wordsHtml = (words: Subject['words']): Html =>
  html`<dl class="words">
    ${words.map(
      ({ part, text }) =>
        html`<dt>${part}</dt>
          <dd>${withCode(text)}</dd>`,
    )}
  </dl>`;

export function planHtml(subject: Subject, id: string): Html {
  const { step, why } = subject;
  return html`<section class="card" aria-labelledby="${id}-plan">
    <h3 id="${id}-plan" style="margin-top:0">The plan, and what bounds it</h3>
    <p><code>${step.plan}</code></p>
    ${caveats(subject)}
    <p>${why} ${boundSentence(subject)}</p>
    ${wordsHtml(subject.words)} ${adviceHtml(subject)}
  </section> `;
}

function adviceHtml({ step: { advice } }: Subject): Html | undefined {
  if (advice.length === 0) return undefined;
  return html`<h4>What would help</h4>
    ${tableHtml({
      head: ['change', 'step time', 'faster', 'memory a chip'],
      rows: advice.map(({ change, stepTimeSeconds, faster, peakMemoryBytesPerChip }) => [
        change,
        time(stepTimeSeconds),
        faster === null ? 'it fits' : `+${whole(faster)}`,
        size(peakMemoryBytesPerChip),
      ]),
    })}
    <p class="shows">Each is this plan with one change, simulated in the same way; a search may find better ones.</p>`;
}

/** Where the figures come from. */
export const originHtml = ({ step, hardware, source }: Subject): Html =>
  html`<section class="card">
    <h3 style="margin-top:0">Where the figures come from</h3>
    <p>
      ${source}, simulated on the profile ${hardware} with the software stack ${step.stack}. MFU: ${step.mfuConvention},
      ${rate(step.peakFlopsPerSecondPerChip)} a chip in ${step.dtype}; ${percent(step.mfuByFormula)} by 6·N + 12·L·H·Q·T
      a token; HFU, with what is computed again, ${percent(step.hfu)}.
    </p>
    <p>Intervals: ${step.stepTimeInterval.source}.</p>
  </section> `;
