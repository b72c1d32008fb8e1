/** From a checked document to numbers with units. */
import { MeshwrightError } from '../errors.js';
import type { FlopsPerSecond, Seconds } from '../units.js';
import { bytesPerSecond, flopsPerSecond, parseQuantity, seconds } from '../units.js';
import type { MatmulDType } from './names.js';
import { MATMUL_DTYPES } from './names.js';
import type { HardwareDocument, MatmulField, StackDocument } from './schema.js';
import { bandwidth, positive, rateOf } from './resolve-quantity.js';
import type { Place } from './resolve-quantity.js';
import { resolveTopology } from './resolve-topology.js';
import type { Path, SourceFile } from '../source.js';
import type { Chip, Hardware, MatmulRate, OpTime, Stack } from './types.js';

function matmulRate(field: MatmulField, path: Path, place: Place, mayExceedPeak: boolean): MatmulRate {
  const { peak, achievable } = rateOf(field, 'flopsPerSecond', path, place, mayExceedPeak);
  const points = (field.points?.values ?? []).map(({ batch, m, n, k, form, rate }, index) => ({
    ...{ batch, m, n, k, form },
    rate: positive(rate, 'flopsPerSecond', place([...path, 'points', 'values', index, 'rate'])),
  }));
  return { peak: flopsPerSecond(peak), achievable: flopsPerSecond(achievable), points };
}

type AttentionField = NonNullable<HardwareDocument['chip']['fusedAttention']>;

const attentionOf = (kernels: AttentionField): NonNullable<Chip['fusedAttention']> =>
  Object.fromEntries(
    Object.entries(kernels).map(([name, kernel]) => [
      name,
      {
        forward: kernel.forward.value,
        backward: kernel.backward.value,
        softmaxWidth: kernel.softmaxWidth.value,
        startLength: kernel.startLength.value,
        headWidthMultiple: kernel.headWidthMultiple.value,
      },
    ]),
  );

function opTimesOf({ values }: NonNullable<HardwareDocument['chip']['opTimes']>, place: Place): OpTime[] {
  const at = (index: number, name: string) => place(['chip', 'opTimes', 'values', index, name]);
  return values.map(({ op, bytes, row, time }, index) => ({
    op,
    bytes: parseQuantity(bytes, 'bytes', at(index, 'bytes')),
    row,
    seconds: positive(time, 'time', at(index, 'time')),
  }));
}

function resolveChip({ chip, defaultDtype }: HardwareDocument, place: Place): Chip {
  const { memory, matrixUnit: unit, fusedAttention, opTimes, corrections, peakVersion } = chip;
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
  for (const dtype of MATMUL_DTYPES) {
    if (unit.exposedWrite === undefined || matmul[dtype] === undefined || matmul[dtype].points.length === 0) continue;
    throw new MeshwrightError('HARDWARE_INVALID', {
      place: place(['chip', 'matmul', dtype, 'points']),
      expected: 'no measured shapes beside chip.matrixUnit.exposedWrite',
      got: `${matmul[dtype].points.length} points`,
      hint: 'a rate that was measured includes the writing of the product: leave one of the two out',
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
    ...(memory.smallTransfers === undefined
      ? {}
      : {
          smallTransfers: memory.smallTransfers.values.map(({ below, share }, index) => ({
            below: positive(below, 'bytes', place(['chip', 'memory', 'smallTransfers', 'values', index, 'below'])),
            share,
          })),
        }),
    matmul,
    matrixUnit: {
      rows: unit.rows.value,
      columns: unit.columns.value,
      depth: unit.depth.value,
      units: unit.units.value,
      ...(unit.tiles === undefined ? {} : { tiles: unit.tiles.values }),
      ...(unit.leastRows === undefined ? {} : { leastRows: unit.leastRows.value }),
      ...(unit.startDepth === undefined ? {} : { startDepth: unit.startDepth.value }),
      ...(unit.exposedWrite === undefined ? {} : { exposedWrite: unit.exposedWrite.value }),
    },
    collectiveUnits,
    rateSpread: chip.rateSpread?.value ?? 0,
    sustainedRate: chip.sustainedRate?.value ?? 1,
    vectorRate: positive(
      chip.vectorRate.value,
      'flopsPerSecond',
      place(['chip', 'vectorRate', 'value']),
    ) as FlopsPerSecond,
    ...(opTimes === undefined ? {} : { opTimes: opTimesOf(opTimes, place) }),
    ...(corrections === undefined
      ? {}
      : { corrections: Object.fromEntries(corrections.values.map(({ work, factor }) => [work, factor])) }),
    ...(fusedAttention === undefined ? {} : { fusedAttention: attentionOf(fusedAttention) }),
    ...(peakVersion === undefined ? {} : { peakVersion }),
  };
}

function resolvePrice({ pricePerChipHour: field }: HardwareDocument, place: Place): Pick<Hardware, 'price'> {
  if (field === undefined || field === 'unknown') return {};
  const { value, region, date } = field;
  return { price: { perChipHour: positive(value, 'price', place(['pricePerChipHour', 'value'])), region, date } };
}

function resolvePower({ powerPerChip: field }: HardwareDocument, place: Place): Pick<Hardware, 'power'> {
  if (field === undefined || field === 'unknown') return {};
  const watts = (name: 'limit' | 'training', value: unknown) =>
    positive(value, 'power', place(['powerPerChip', name, 'value']));
  const { limit, training } = field;
  return {
    power: {
      limit: watts('limit', limit.value),
      ...(training === undefined ? {} : { training: watts('training', training.value) }),
    },
  };
}

function resolveHost({ host, topology }: HardwareDocument, place: Place): Pick<Hardware, 'host'> {
  if (host === undefined) return {};
  if (topology.kind === 'shared-memory') {
    throw new MeshwrightError('HARDWARE_INVALID', {
      place: place(['host']),
      expected: 'no host beside chips that are threads of one, whose memory is theirs',
      got: `${host.memoryCapacity.value} of memory`,
      hint: 'leave it out',
    });
  }
  const at = (name: string) => place(['host', name, 'value']);
  return {
    host: {
      chips: host.chipsPerHost.value,
      memoryCapacity: positive(host.memoryCapacity.value, 'bytes', at('memoryCapacity')),
      ...(host.memoryBandwidth === undefined
        ? {}
        : { memoryBandwidth: bandwidth(host.memoryBandwidth, ['host', 'memoryBandwidth'], place) }),
      linkPerDirection: bandwidth(
        host.linkBandwidthPerChipPerDirection,
        ['host', 'linkBandwidthPerChipPerDirection'],
        place,
      ),
      linkLatency: parseQuantity(host.linkLatency.value, 'time', at('linkLatency')),
    },
  };
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
    ...resolveHost(document, place),
    ...resolvePrice(document, place),
    ...resolvePower(document, place),
    document,
  };
}

/** @throws MeshwrightError QUANTITY_INVALID, with the file and line */
export function resolveStack({ value: document, place }: SourceFile<StackDocument>): Stack {
  const time = (
    name:
      | 'kernelLaunchOverhead'
      | 'opOverhead'
      | 'hostTimePerOp'
      | 'hostOverheadPerStep'
      | 'hostOverheadPerRank'
      | 'hostTimePerSpan'
      | 'operandOverhead'
      | 'hostOverheadPerMicrobatch'
      | 'hostOverheadPerAttention',
  ): Seconds => {
    const field = document[name];
    return field === undefined ? seconds(0) : parseQuantity(field.value, 'time', place([name, 'value']));
  };
  const kept = (name: 'runtime' | 'perGroup' | 'perPeer') =>
    parseQuantity(document.reservedMemory![name].value, 'bytes', place(['reservedMemory', name, 'value']));
  return {
    name: document.name,
    title: document.title,
    elementwise: document.elementwise.value,
    epilogues: document.epilogues.value,
    accumulation: document.accumulation?.value ?? 'separate',
    attentionDropout: document.attentionDropout?.value ?? false,
    hiddenDropout: document.hiddenDropout?.value ?? false,
    ...(document.attentionCopies === undefined
      ? {}
      : {
          attentionCopies: {
            ...document.attentionCopies.value,
            fromSequences: document.attentionCopies.value.fromSequences ?? 1,
          },
        }),
    softmaxMultiple: document.softmaxMultiple?.value ?? 1,
    operands: document.operands.value,
    reductions: document.reductions.value,
    attention: document.attention.value,
    recomputation: document.recomputation?.value ?? 'needed',
    gatheredActivations: document.gatheredActivations?.value ?? 'gathered-again',
    ...(document.attentionKernels === undefined ? {} : { attentionKernels: document.attentionKernels.value }),
    norms: document.norms?.value ?? 'fused',
    rotary: document.rotary?.value ?? 'fused',
    gates: document.gates?.value ?? 'joint',
    gradientSums: document.gradientSums?.value ?? 'dealt',
    ...(document.gradientPasses === undefined ? {} : { gradientPasses: document.gradientPasses.value }),
    recomputedParts: document.recomputedParts?.value ?? 'layers',
    logits: document.logits?.value ?? 'sharded',
    ...(document.crossEntropy === undefined ? {} : { crossEntropy: document.crossEntropy.value }),
    kernelLaunchOverhead: time('kernelLaunchOverhead'),
    opOverhead: time('opOverhead'),
    hostTimePerOp: time('hostTimePerOp'),
    ...(document.kernelFamily === undefined ? {} : { kernelFamily: document.kernelFamily.value }),
    operandOverhead: time('operandOverhead'),
    ...(document.operandCopies === undefined
      ? {}
      : {
          operandCopies: bytesPerSecond(
            positive(document.operandCopies.value, 'bytesPerSecond', place(['operandCopies', 'value'])),
          ),
        }),
    hostOverheadPerStep: time('hostOverheadPerStep'),
    hostOverheadPerRank: time('hostOverheadPerRank'),
    hostTimePerSpan: time('hostTimePerSpan'),
    hostOverheadPerMicrobatch: time('hostOverheadPerMicrobatch'),
    hostOverheadPerAttention: time('hostOverheadPerAttention'),
    exchanges: document.exchanges?.value ?? 'at-once',
    stageTransfers: document.stageTransfers?.value ?? 'whole',
    asynchronous: document.asynchronous.value,
    ...(document.collectives === undefined ? {} : { collectives: document.collectives.value }),
    reservedMemoryFraction: document.reservedMemoryFraction.value,
    ...(document.reservedMemory === undefined
      ? {}
      : {
          reservedMemory: {
            runtime: kept('runtime'),
            perGroup: kept('perGroup'),
            perPeer: kept('perPeer'),
            fragmentation: document.reservedMemory.fragmentation.value,
          },
        }),
    vocabularyMultiple: document.vocabularyMultiple?.value ?? 1,
    ...(document.uncertainty === undefined
      ? {}
      : { uncertainty: { ...document.uncertainty.value, source: document.uncertainty.source } }),
    document,
  };
}
