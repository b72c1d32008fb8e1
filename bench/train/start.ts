/** The peer's start, as `DUMP` writes it, in our names and layouts: vit-bench's parameters, and a batch for each rank. */
import { join } from 'node:path';
import type { StateValue } from '../../src/runtime/index.js';
import type { Tensor } from './safetensors.js';
import { readSafetensors } from './safetensors.js';

export interface Start {
  /** By name of parameter; of the layers' ones a tensor each. */
  readonly parameters: Readonly<Record<string, StateValue>>;
  /** All ranks' rows, one rank's after the other's: images [B,224,224,3] and labels [B,100]. */
  readonly batch: Readonly<Record<'images' | 'labels', Float32Array>>;
}

/** A linear's weight [out,in], as PyTorch has it, as a kernel [in,out]. */
function kernel({ shape, data }: Tensor): Float32Array {
  const [rows, columns] = shape as [number, number];
  const turned = new Float32Array(data.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) turned[column * rows + row] = data[row * columns + column]!;
  return turned;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const PATCH = 14;
const CHANNELS = 3;

/** Patches [B,S,14·14·3], the image's row of patches by row, as images [B,H,W,3]. */
function images({ shape, data }: Tensor): Float32Array {
  const [batch, tokens, size] = shape as [number, number, number];
  const side = Math.sqrt(tokens);
  const run = PATCH * CHANNELS;
  const whole = new Float32Array(data.length);
  for (let image = 0; image < batch; image++)
    for (let token = 0; token < tokens; token++)
      for (let row = 0; row < PATCH; row++) {
        const from = (image * tokens + token) * size + row * run;
        const line = image * side * PATCH + Math.floor(token / side) * PATCH + row;
        whole.set(data.subarray(from, from + run), (line * side + (token % side)) * run);
      }
  return whole;
}

const DEPTH = 6;

/** @throws where a file is missing or holds other tensors */
export function readStart(folder: string, ranks: number): Start {
  const init = readSafetensors(join(folder, 'init.safetensors'));
  const tensor = (name: string): Tensor => {
    const found = init.get(name);
    if (found === undefined) throw new Error(`init.safetensors: no ${name}`);
    return found;
  };
  const plain = (name: string): Float32Array => tensor(name).data;
  const layers = (make: (block: string) => Float32Array): Float32Array[] =>
    Array.from({ length: DEPTH }, (_, layer) => make(`blocks.${layer}.`));
  const data = Array.from({ length: ranks }, (_, rank) => readSafetensors(join(folder, `data-${rank}.safetensors`)));
  return {
    parameters: {
      'embed/kernel': kernel(tensor('embed.weight')),
      'embed/bias': plain('embed.bias'),
      'embed/position': plain('position'),
      'encoder/norm/gain': layers((block) => plain(`${block}norm.gain`)),
      'encoder/in/kernel': layers((block) => kernel(tensor(`${block}into.weight`))),
      'encoder/attention/query-norm/gain': layers((block) => plain(`${block}query_norm.gain`)),
      'encoder/attention/key-norm/gain': layers((block) => plain(`${block}key_norm.gain`)),
      'encoder/mlp/hidden-bias': layers((block) => plain(`${block}hidden_bias`)),
      // Ours takes attention's and the MLP's result side by side.
      'encoder/out/kernel': layers((block) =>
        joined([kernel(tensor(`${block}attention_out.weight`)), kernel(tensor(`${block}mlp_out.weight`))]),
      ),
      'encoder/out/bias': layers((block) => plain(`${block}mlp_out.bias`)),
      'norm/gain': plain('norm.gain'),
      'classifier/kernel': kernel(tensor('head.weight')),
      'classifier/bias': plain('head.bias'),
    },
    batch: {
      images: joined(data.map((rank) => images(rank.get('patches')!))),
      labels: joined(data.map((rank) => rank.get('labels')!.data)),
    },
  };
}
