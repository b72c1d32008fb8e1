/** How a trained model does on what was held out. */

export interface ImageEvaluation {
  readonly of: 'images';
  readonly images: number;
  readonly accuracy: number;
  /** Of guessing. */
  readonly chance: number;
}

export interface TextEvaluation {
  readonly of: 'text';
  readonly bytes: number;
  readonly crossEntropyNatsPerByte: number;
  /** e to the cross-entropy. */
  readonly perplexityPerByte: number;
  /** The entropy of single bytes of the training part: what knowing their frequencies and nothing else comes to. */
  readonly byteEntropyNatsPerByte: number;
}

export type Evaluation = ImageEvaluation | TextEvaluation;
