/** From a checked document to numbers with units. */
import { MeshwrightError } from '../errors.js';
import type { Dimension, FlopsPerSecond, Seconds } from '../units.js';
import { bytesPerSecond, flopsPerSecond, parseQuantity } from '../units.js';
import type { MatmulDType } from './names.js';
import { MATMUL_DTYPES } from './names.js';
import type { HardwareDocument, MatmulField, RateField, StackDocument } from './schema.js';
import type { Path, SourceFile } from '../source.js';
import type { Bandwidth, Chip, Hardware, MatmulRate, Stack, Topology } from './types.js';

type Place = (path: Path) => string;

/** A quantity above zero: nothing that a chip has is of size or rate zero. */
function positive<D extends Dimension>(text: unknown, dimension: D, place: string) {
  const amount = parseQuantity(text, dimension, place);
  if (amount > 0) return amount;
  throw new MeshwrightError('QUANTITY_INVALID', { place, expected: 'more than zero', got: JSON.stringify(text) });
}

type RateDimension = 'bytesPerSecond' | 'flopsPerSecond';

function rateOf<D extends RateDimension>(
  field: Pick<RateField, 'peak' | 'achievable'>,
  dimension: D,
  path: Path,
  place: Place,
  mayExceedPeak: boolean,
): { peak: number; achievable: number } {
  const peak: number = positive(field.peak.value, dimension, place([...path, 'peak', 'value']));
  const { value } = field.achievable;
  const achievablePlace = place([...path, 'achievable', 'value']);
  const achievable: number = typeof value === 'number' ? value * peak : positive(value, dimension, achievablePlace);
  if (achievable > peak && !mayExceedPeak) {
    throw new MeshwrightError('QUANTITY_INVALID', {
      place: achievablePlace,
      expected: `at most the peak, ${field.peak.value}`,
      got: String(value),
    });
  }
  return { peak, achievable };
}

function bandwidth(field: RateField, path: Path, place: Place, mayExceedPeak = false): Bandwidth {
  const { peak, achievable } = rateOf(field, 'bytesPerSecond', path, place, mayExceedPeak);
  return { peak: bytesPerSecond(peak), achievable: bytesPerSecond(achievable) };
}

function matmulRate(field: MatmulField, path: Path, place: Place, mayExceedPeak: boolean): MatmulRate {
  const { peak, achievable } = rateOf(field, 'flopsPerSecond', path, place, mayExceedPeak);
  const points = (field.points?.values ?? []).map(({ rate, ...shape }, index) => ({
    ...shape,
    rate: positive(rate, 'flopsPerSecond', place([...path, 'points', 'values', index, 'rate'])),
  }));
  return { peak: flopsPerSecond(peak), achievable: flopsPerSecond(achievable), points };
}

function resolveChip({ chip, defaultDtype }: HardwareDocument, place: Place): Chip {
  const { memory, matrixUnit: unit, peakVersion } = chip;
  const matmul: Partial<Record<MatmulDType, MatmulRate>> = {};
  for (const dtype of MATMUL_DTYPES) {
    const field = chip.matmul[dtype];
    // A frozen first measurement may be beaten later, a datasheet's peak may not.
    if (field !== undefined)
      matmul[dtype] = matmulRate(field, ['chip', 'matmul', dtype], place, peakVersion !== undefined);
  }
  if (matmul[defaultDtype] === undefined) {
    throw new MeshwrightError('HARDWARE_INVALID', {
      place: place(['defaultDtype']),
      expected: `one of the types with a matmul rate: ${Object.keys(matmul).join(', ')}`,
      got: defaultDtype,
    });
  }
  const collectiveUnits = chip.collectiveUnits?.value ?? 0;
  if (collectiveUnits >= unit.units.value) {
    throw new MeshwrightError('HARDWARE_INVALID', {
      place: place(['chip', 'collectiveUnits', 'value']),
      expected: `fewer than the ${unit.units.value} of chip.matrixUnit.units`,
      got: String(collectiveUnits),
      hint: 'it is how many of them a collective takes while it runs; without the field, none',
    });
  }
  return {
    memoryCapacity: positive(memory.capacity.value, 'bytes', place(['chip', 'memory', 'capacity', 'value'])),
    // Kernels whose data lies in the caches may beat a copy through memory, which a first measurement is.
    memoryBandwidth: bandwidth(memory.bandwidth, ['chip', 'memory', 'bandwidth'], place, peakVersion !== undefined),
    matmul,
    matrixUnit: {
      rows: unit.rows.value,
      columns: unit.columns.value,
      depth: unit.depth.value,
      units: unit.units.value,
    },
    collectiveUnits,
    vectorRate: positive(
      chip.vectorRate.value,
      'flopsPerSecond',
      place(['chip', 'vectorRate', 'value']),
    ) as FlopsPerSecond,
    ...(peakVersion === undefined ? {} : { peakVersion }),
  };
}

function resolveTopology({ topology }: HardwareDocument, place: Place): Topology {
  const rate = (field: RateField, name: string): Bandwidth => bandwidth(field, ['topology', name], place);
  const time = (value: unknown, name: string): Seconds =>
    parseQuantity(value, 'time', place(['topology', name, 'value']));
  switch (topology.kind) {
    case 'torus': {
      const dimensions = topology.dimensions.value;
      const largestSlice = topology.largestSlice.value;
      if (largestSlice.length !== dimensions) {
        throw new MeshwrightError('HARDWARE_INVALID', {
          place: place(['topology', 'largestSlice', 'value']),
          expected: `${dimensions} lengths`,
          got: JSON.stringify(largestSlice),
        });
      }
      return {
        kind: 'torus',
        dimensions,
        largestSlice,
        linkPerDirection: rate(topology.linkBandwidthPerDirection, 'linkBandwidthPerDirection'),
        hopLatency: time(topology.hopLatency.value, 'hopLatency'),
        wraparound: { multiple: topology.wraparound.multiple.value, rule: topology.wraparound.rule },
      };
    }
    case 'switch':
      return {
        kind: 'switch',
        chipsPerNode: topology.chipsPerNode.value,
        nodePerChipPerDirection: rate(topology.nodeBandwidthPerChipPerDirection, 'nodeBandwidthPerChipPerDirection'),
        nodeLatency: time(topology.nodeLatency.value, 'nodeLatency'),
        networkPerChipPerDirection: rate(
          topology.networkBandwidthPerChipPerDirection,
          'networkBandwidthPerChipPerDirection',
        ),
        networkLatency: time(topology.networkLatency.value, 'networkLatency'),
      };
    case 'shared-memory':
      return {
        kind: 'shared-memory',
        cores: topology.cores.value,
        busyCoreRateFraction: topology.busyCoreRateFraction.value,
        transferPerChip: rate(topology.transferBandwidthPerChip, 'transferBandwidthPerChip'),
        messageLatency: time(topology.messageLatency.value, 'messageLatency'),
      };
  }
}

/** @throws MeshwrightError QUANTITY_INVALID, HARDWARE_INVALID, with the file and line */
export function resolveHardware({ value: document, place }: SourceFile<HardwareDocument>): Hardware {
  const { name, title, defaultDtype, defaultStack } = document;
  return {
    name,
    title,
    defaultDtype,
    defaultStack,
    chip: resolveChip(document, place),
    topology: resolveTopology(document, place),
    document,
  };
}

/** @throws MeshwrightError QUANTITY_INVALID, with the file and line */
export function resolveStack({ value: document, place }: SourceFile<StackDocument>): Stack {
  const time = (name: 'kernelLaunchOverhead' | 'opOverhead' | 'hostOverheadPerStep'): Seconds =>
    parseQuantity(document[name].value, 'time', place([name, 'value']));
  return {
    name: document.name,
    title: document.title,
    elementwise: document.elementwise.value,
    kernelLaunchOverhead: time('kernelLaunchOverhead'),
    opOverhead: time('opOverhead'),
    hostOverheadPerStep: time('hostOverheadPerStep'),
    overlapsCommunication: document.overlapsCommunication.value,
    reservedMemoryFraction: document.reservedMemoryFraction.value,
    document,
  };
}
