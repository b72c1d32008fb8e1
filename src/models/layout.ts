/**
 * How activations lie on the `model` axis between the linear layers. The residual stream has one of three layouts;
 * what is inside attention and MLP (the hidden side) is always sharded over its width: heads, or MLP columns.
 */
import { unreachable } from '../errors.js';

/**
 * The layouts of the residual stream [B,S,D] on k chips:
 * - `width`: [B,S,D/k]. Each linear gathers the input's width or reduce-scatters the output's, whichever is less to
 *   send (Dehghani et al. 2023, §3). Norms all-reduce their moments.
 * - `sequence`: [B,S/k,D]. Linears into the hidden side gather the tokens, those out of it reduce-scatter over the
 *   tokens; norms see the whole width (Korthikanti et al. 2022).
 * - `replicated`: [B,S,D] on every chip. Nothing is gathered; linears out of the hidden side all-reduce (Shoeybi et al.
 *   2019).
 */
export const ACTIVATION_LAYOUTS = ['width', 'sequence', 'replicated'] as const;
export type ActivationLayout = (typeof ACTIVATION_LAYOUTS)[number];

/** The dimension of a stream [B,S,D] that is sharded over `model`; none where it is replicated. */
export function streamDimension(layout: ActivationLayout): 1 | 2 | undefined {
  switch (layout) {
    case 'width':
      return 2;
    case 'sequence':
      return 1;
    case 'replicated':
      return undefined;
    default:
      return unreachable(layout);
  }
}
