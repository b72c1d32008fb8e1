/** Plans' short forms, read and written for narrow places: never a part of a word. */

export interface PlanWord {
  readonly name: string;
  readonly value: string;
}

/** `data=64,model=16 microbatches=8 linears=ring` as its sizes, counts and options, each with its name. */
export const planWords = (label: string): PlanWord[] =>
  label.split(' ').flatMap((word, index) => {
    const assignments = index === 0 ? word.split(',') : [word];
    return assignments.map((one) => {
      const [name = '', ...value] = one.split('=');
      return { name, value: value.join('=') };
    });
  });

/** What the columns of a table say of a plan: the mesh, how many microbatches, and its options one by one. */
export interface LabelParts {
  readonly mesh: string;
  readonly microbatches: string;
  readonly options: readonly string[];
}

export function labelParts(label: string): LabelParts {
  const [mesh = '', ...rest] = label.split(' ');
  const isCount = (word: string): boolean => word.startsWith('microbatches=');
  return {
    mesh,
    microbatches: rest.find(isCount)?.slice('microbatches='.length) ?? '1',
    options: rest.filter((word) => !isCount(word)),
  };
}

/** As engineers abbreviate them. */
const SHORT: readonly (readonly [RegExp, string])[] = [
  [/^microbatches=/, 'mb='],
  [/^rematerialize=/, 'remat='],
  [/^rematerialize-layers=/, 'remat-layers='],
  [/^virtual-stages=/, 'virtual='],
  [/^activations=/, 'acts='],
  [/=bidirectional$/, '=bidir'],
  [/=optimizer$/, '=optim'],
  [/=parameters$/, '=params'],
  [/=interleaved-1f1b$/, '=interleaved'],
  [/=selective$/, '=select'],
  [/=sequence$/, '=seq'],
];

const shortWord = (word: string): string =>
  SHORT.reduce((text, [pattern, short]) => text.replace(pattern, short), word);

/** In a column that has room for few words: those that say all by themselves, and ZeRO's stages. */
const TERSE: Readonly<Record<string, string>> = {
  'shard=optimizer': 'zero1',
  'shard=gradients': 'zero2',
  'shard=parameters': 'zero3',
  'linears=ring': 'ring',
  'linears=ring-bulk': 'ring-bulk',
  'linears=bidirectional': 'bidir',
  'rematerialize=selective': 'remat=sel',
  'schedule=interleaved-1f1b': 'interleaved',
};

export const terseWord = (word: string): string => TERSE[word] ?? shortWord(word.replace(/^schedule=/, ''));

/** The words that there is room for, the first ones first; how many are left out is said, as in `remat=full +2`. */
export function fitWords(words: readonly string[], room: number): string {
  const textOf = (kept: readonly string[]): string => {
    const left = words.length - kept.length;
    return [...kept, ...(left > 0 ? [`+${left}`] : [])].join(' ');
  };
  let kept: readonly string[] = [];
  for (const word of words) if (textOf([...kept, word]).length <= room) kept = [...kept, word];
  return textOf(kept);
}

/** A whole label: in full where there is room, then with short words, then as many of them as fit. */
export function shortLabel(label: string, room: number): string {
  if (label.length <= room) return label;
  return fitWords(label.split(' ').map(shortWord), room);
}

/** What some of the labels have and others lack, in the order of the first that has it. */
export function differingOptions(labels: readonly string[]): ReadonlySet<string> {
  const counts = new Map<string, number>();
  for (const option of labels.flatMap((label) => labelParts(label).options))
    counts.set(option, (counts.get(option) ?? 0) + 1);
  return new Set([...counts].filter(([, count]) => count < labels.length).map(([option]) => option));
}

/** A model's or profile's name; of a path, that of its file. */
export const plainName = (nameOrPath: string): string => nameOrPath.replace(/^.*\//, '').replace(/\.ya?ml$/, '');
