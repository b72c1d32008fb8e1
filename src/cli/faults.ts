/** `--fault link=0+x:dead`, `--fault link=3-4:0.5`, `--fault chip=17:1.3` */
import { MeshwrightError } from '../errors.js';
import type { Faults } from '../../sim/index.js';

export const NO_FAULTS: Faults = { links: [], chips: [] };

/** Each as `--fault` takes it. */
export const faultTexts = ({ links, chips }: Faults): string[] => [
  ...links.map(({ link, left }) => `link=${link}:${left}`),
  ...chips.map(({ chip, slowdown }) => `chip=${chip}:${slowdown}`),
];

const bad = (expected: string, text: string): MeshwrightError =>
  new MeshwrightError('USAGE', { place: '--fault', expected, got: JSON.stringify(text) });

const FORMS = 'a fault, as in link=0+x:dead, link=0+x:0.5 (half its bandwidth) or chip=17:1.3 (1.3 times as slow)';

/** May be given several times. @throws MeshwrightError USAGE */
export function readFault(text: string, { links, chips }: Faults = NO_FAULTS): Faults {
  const [, kind, what, how] = /^(link|chip)[=:](.+):([^:]+)$/.exec(text) ?? [];
  if (kind === undefined || what === undefined || how === undefined) throw bad(FORMS, text);
  const amount = how === 'dead' ? how : Number(how);
  if (typeof amount === 'number' && !Number.isFinite(amount)) throw bad(FORMS, text);
  const isKnown =
    kind === 'link' ? links.some(({ link }) => link === what) : chips.some(({ chip }) => `${chip}` === what);
  if (isKnown) throw bad(`each ${kind} once`, text);
  if (kind === 'link') return { links: [...links, { link: what, left: amount }], chips };
  if (!/^\d+$/.test(what)) throw bad('the number of a chip, as in chip=17:1.3', text);
  return { links, chips: [...chips, { chip: Number(what), slowdown: amount }] };
}
