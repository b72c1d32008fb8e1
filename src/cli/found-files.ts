/** What of a folder's files the UI offers: job files as models, and hardware profiles. Others are passed over. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { parseJob } from '../job/index.js';
import { MeshwrightError } from '../errors.js';
import { listHardware, loadHardware } from '../hardware/index.js';
import type { HardwareChoice, ModelChoice } from '../tui/services.js';
import { hardwareVersion, storedHardware } from './stored-hardware.js';

/** A folder with more of them is not one that people pick from. */
const MOST_FILES = 200;
/** Profiles and jobs are far smaller. */
const MOST_BYTES = 256 * 1024;

export interface FoundFiles {
  readonly models: readonly ModelChoice[];
  readonly hardware: readonly HardwareChoice[];
}

/** A shipped profile to pick, as its newest version has it. */
function shippedChoice(name: string): HardwareChoice {
  const hardwareName = storedHardware(name);
  const { title, chip, topology, defaultDtype } = loadHardware(hardwareName);
  const version = hardwareVersion({ hardwareName });
  const peak = chip.matmul[defaultDtype]?.peak;
  return {
    name,
    about: version === null ? title : `${title} (version ${version.version})`,
    memoryBytesPerChip: chip.memoryCapacity,
    ...(peak === undefined ? {} : { peakFlopsPerSecondPerChip: peak }),
    ...('chipsPerNode' in topology ? { chipsPerNode: topology.chipsPerNode } : {}),
  };
}

/** All shipped profiles. @throws MeshwrightError HARDWARE_INVALID of a version that is damaged */
export const shippedHardware = (): HardwareChoice[] => listHardware().map(shippedChoice);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A job file that says which model; what else it says fills the other fields. */
function jobChoice(name: string, text: string): ModelChoice | undefined {
  const { model, hardware, chips, batch } = parseJob(text, name);
  if (model === undefined) return undefined;
  const of = typeof model === 'string' ? model : `${model.preset}, changed`;
  const on = hardware === undefined ? '' : ` on ${chips === undefined ? '' : `${chips} × `}${hardware}`;
  return {
    name,
    about: `job file: ${of}${on}`,
    fills: {
      ...(hardware === undefined ? {} : { hardware }),
      ...(chips === undefined ? {} : { chips }),
      ...(batch === undefined ? {} : { batch }),
    },
  };
}

async function choiceIn(folder: string, file: string): Promise<Partial<FoundFiles>> {
  const path = join(folder, file);
  const { size } = await stat(path);
  if (size > MOST_BYTES) return {};
  const text = await readFile(path, 'utf8');
  const document: unknown = parse(text);
  if (!isRecord(document)) return {};
  const name = `./${file}`;
  if ('chip' in document && 'topology' in document) {
    const title = typeof document['title'] === 'string' ? document['title'] : 'no title';
    return { hardware: [{ name, about: `profile: ${title}` }] };
  }
  const job = 'model' in document ? jobChoice(name, text) : undefined;
  return job === undefined ? {} : { models: [job] };
}

/** Files that can't be read or are something else are none to choose, and no error either. */
async function unlessOther(read: Promise<Partial<FoundFiles>>): Promise<Partial<FoundFiles>> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof MeshwrightError && error.code === 'INTERNAL') throw error;
    return {};
  }
}

/** By name. */
export async function findFiles(folder: string): Promise<FoundFiles> {
  const listed = await readdir(folder).catch(() => [] as string[]);
  const files = listed.filter((name) => /\.ya?ml$/.test(name)).sort();
  const found = await Promise.all(files.slice(0, MOST_FILES).map((file) => unlessOther(choiceIn(folder, file))));
  return {
    models: found.flatMap(({ models = [] }) => models),
    hardware: found.flatMap(({ hardware = [] }) => hardware),
  };
}
