/** Runs a session so that results come to where they are wanted, and nowhere else. */
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Memory } from '../../memory.js';
import type { HostTensor } from '../family.js';
import type { Model } from './model.js';

type Tensors = Readonly<Record<string, Tensor>>;

/**
 * onnxruntime-node writes results to the tensors that it is given for them, and then makes copies of all of them to give
 * back, which costs more than many a kernel: new memory is zeroed, and written. It stops at an output that is no tensor,
 * which it refuses to convert once everything is computed and written. So a model's first output is an empty sequence.
 */
export const NO_COPIES = { name: 'no-copies', refusal: 'Non tensor type is temporarily not supported.' } as const;

export const withoutCopies = (model: Model): Model => ({
  ...model,
  sequence: NO_COPIES.name,
  nodes: [
    ...model.nodes,
    { opType: 'SequenceEmpty', domain: '', inputs: [], outputs: [NO_COPIES.name], attributes: {} },
  ],
});

/** Runs a session whose results are all in `fetches`, where it writes them. */
export async function runInto(
  session: InferenceSession,
  feeds: Tensors,
  fetches: Tensors,
  memory: Memory,
): Promise<void> {
  try {
    const copies = await session.run(feeds, { [NO_COPIES.name]: null, ...fetches });
    // A version that takes sequences gives copies.
    for (const name of Object.keys(fetches)) memory.free(copies[name]!.data as HostTensor);
  } catch (error) {
    if (!(error instanceof Error && error.message === NO_COPIES.refusal)) throw error;
  }
}
