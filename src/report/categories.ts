/** What a timeline shows, by its colour in the style sheet, in the order of legends. */
export const CATEGORIES = {
  matmul: 'matmuls',
  memory: 'memory-bound',
  vector: 'vector',
  overhead: 'launches',
  contention: 'contention',
  optimizer: 'update',
  kernel: 'kernels',
  forward: 'forward',
  backward: 'backward',
  'backward-input': "backward, inputs' gradients",
  'backward-weight': "backward, weights' gradients",
  start: 'before the first slot',
  finish: 'reductions and update',
  host: 'host',
  pipe: 'pipe',
  replica: 'replica',
  data: 'data',
  sequence: 'sequence',
  model: 'model',
  bubble: 'bubble: waits for its turn',
} as const satisfies Readonly<Record<string, string>>;

export type Category = keyof typeof CATEGORIES;

/** Of a step's parts, by their names in `simulate`; what has no colour of its own is `other`. */
const PART_COLOURS: Readonly<Record<string, string>> = {
  matmuls: 'matmul',
  'memory-bound': 'memory',
  vector: 'vector',
  launches: 'overhead',
  update: 'optimizer',
  host: 'host',
  contention: 'contention',
  bubble: 'bubble',
};

/** `data exposed` has the colour of `data`. */
export function partColour(name: string): string {
  const axis = /^(.*) exposed$/.exec(name)?.[1];
  return axis ?? PART_COLOURS[name] ?? 'other';
}
