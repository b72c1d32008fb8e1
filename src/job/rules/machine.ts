/** What a plan asks of the machine. */
import { axesInOrder, axisSize, formatMesh, rankCount } from '../../mesh/index.js';
import type { Refusal, Rule } from './rule.js';

const hostKeepsState: Rule = ({ plan, hardware }) => {
  const { optimizerOffload } = plan;
  if (optimizerOffload === 'none') return undefined;
  const refusal = (expected: string): Refusal => ({ option: 'optimizerOffload', expected });
  if (hardware.host === undefined)
    return refusal(`none on ${hardware.name}, whose profile states no memory of a host beside the chip's`);
  return optimizerOffload === 'host-update' && hardware.host.memoryBandwidth === undefined
    ? refusal(
        `none or streamed on ${hardware.name}, whose profile does not state how fast its host reads and writes memory`,
      )
    : undefined;
};

const orderIsAnother: Rule = ({ plan: { mesh, axisOrder }, hardware: { topology } }) => {
  if (axisOrder === undefined) return undefined;
  const refusal = (expected: string): Refusal => ({ option: 'axisOrder', expected, hint: 'leave it out' });
  const missing = axisOrder.filter((axis) => axisSize(mesh, axis) === 1);
  if (missing.length > 0) return refusal(`axes of ${formatMesh(mesh)}`);
  if ('chipsPerNode' in topology && rankCount(mesh) <= topology.chipsPerNode)
    return refusal(`nothing where a node of ${topology.chipsPerNode} chips has all ${rankCount(mesh)}`);
  return axesInOrder(mesh, axisOrder).join() === axesInOrder(mesh).join()
    ? refusal(`another order than ${axesInOrder(mesh).join(', ')}, which ${formatMesh(mesh)} has anyway`)
    : undefined;
};

export const MACHINE_RULES: readonly Rule[] = [hostKeepsState, orderIsAnother];
