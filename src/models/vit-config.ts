/** What a vision transformer is made of. */
export interface VitConfig {
  readonly family: 'vit';
  readonly name: string;
  readonly width: number;
  readonly depth: number;
  readonly mlpWidth: number;
  readonly heads: number;
  readonly patch: number;
  readonly imageSize: number;
  readonly channels: number;
  readonly classes: number;
  /** Multi-head attention pooling (Zhai et al. 2022) or the mean over tokens. */
  readonly pooling: 'attention' | 'mean';
  /** Attention and MLP side by side on one norm, their projections fused; otherwise one after the other. */
  readonly parallelLayers: boolean;
  readonly queryKeyNorm: boolean;
  /** No bias on query, key, value and attention output, norms without bias and centering. MLP biases stay. */
  readonly omitBiases: boolean;
  readonly loss: 'sigmoid' | 'softmax';
}

export const tokenCount = ({ imageSize, patch }: VitConfig): number => (imageSize / patch) ** 2;

/** Without biases, norms are not centered either. */
export const normOf = ({ omitBiases }: VitConfig): { readonly centered: boolean; readonly bias: boolean } => ({
  centered: !omitBiases,
  bias: !omitBiases,
});
