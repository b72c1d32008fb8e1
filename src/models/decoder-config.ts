/** What a decoder-only language model is made of: the GPT, Llama and PaLM kinds are settings of one. */
export interface DecoderConfig {
  readonly family: 'decoder';
  readonly name: string;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  /** Heads together need not be as wide as the model. */
  readonly headWidth: number;
  /**
   * Query heads share key and value heads in equal groups (Ainslie et al. 2023): as many as `heads` is multi-head, 1
   * multi-query attention (Shazeer 2019), whose key and value every chip of the model axis computes whole.
   */
  readonly keyValueHeads: number;
  readonly mlpWidth: number;
  /** activation(x·G) · (x·U) in place of activation(x·U) (Shazeer 2020): two projections into the MLP. */
  readonly gatedMlp: boolean;
  readonly activation: 'gelu' | 'silu';
  /** Rotary (Su et al. 2021), or learned and added to the embedding. */
  readonly positions: 'rotary' | 'learned';
  readonly ropeBase: number;
  /** Layer normalization, without a bias where `biases` is off, or that of the root mean square, which has none. */
  readonly norm: 'layer' | 'rms';
  /** Of linears and layer norms. */
  readonly biases: boolean;
  /** Attention and MLP side by side on one norm; otherwise one after the other. */
  readonly parallelLayers: boolean;
  /**
   * Of parallel layers: whether attention and MLP have one matmul into both and one out of both, as in PaLM, or two each,
   * as in MaxText, whose results are summed over `model` apart.
   */
  readonly jointProjections: boolean;
  /** The classifier over the vocabulary is the embedding table. */
  readonly tiedHead: boolean;
  readonly vocabulary: number;
  /** Tokens of an example. */
  readonly sequence: number;
}
