/** How a framework writes a model down, as far as what is computed, sent and kept depends on it. */
export interface ModelForm {
  /**
   * `fused`: a norm reads its input once and keeps it as it is. `composed`: an RMS norm is written with a framework's
   * elementary ops, each a pass over memory, on a copy in f32 that is kept for the backward pass. Layer norms are one
   * kernel in every framework.
   */
  readonly norms: 'fused' | 'composed';
  /**
   * Of a vocabulary that is sharded over `model`. `sharded`: each chip scores the classes that it has and they exchange
   * sums (Shoeybi et al. 2019, §3). `gathered`: every chip has all logits and computes the whole loss.
   */
  readonly logits: 'sharded' | 'gathered';
  /**
   * The gate and the up projection of a gated MLP. `joint`: one matmul. `apart`: a linear each, of which each completes the
   * gradient of its input where that is replicated over `model`.
   */
  readonly gates: 'joint' | 'apart';
}

export const DEFAULT_FORM: ModelForm = { norms: 'fused', logits: 'sharded', gates: 'joint' };
