/** Images and folders that the data tests make for themselves. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { afterAll } from 'vitest';

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((dir) => rm(dir, { recursive: true, force: true }))));

/** A new folder that is removed when the test file is done. */
export async function temporaryFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'meshwright-data-'));
  folders.push(dir);
  return dir;
}

export type Pixel = (x: number, y: number) => readonly number[];

/** An image from a function of its pixels, which also says by its length how many channels there are. */
export function picture(width: number, height: number, pixel: Pixel): Sharp {
  const channels = pixel(0, 0).length as 1 | 2 | 3 | 4;
  const data = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) data.set(pixel(i % width, Math.floor(i / width)), i * channels);
  return sharp(data, { raw: { width, height, channels } });
}

/** Red left, green top right, blue bottom right: no symmetry, so a flip or a turn shows. */
export const quarters: (width: number, height: number) => Sharp = (width, height) =>
  picture(width, height, (x, y) => (x < width / 2 ? [255, 0, 0] : y < height / 2 ? [0, 255, 0] : [0, 0, 255]));

export async function writeTo(path: string, content: Uint8Array | string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

export interface LabelledFiles {
  /** One grey level per image, so that a batch's rows can be told apart. */
  readonly images: Record<string, number>;
  readonly corrupt?: readonly string[];
}

/** Writes `dir/<class>/<name>`: noise-free PNGs, or half of a PNG for names in `corrupt`. */
export async function writeFolder(dir: string, files: LabelledFiles): Promise<string> {
  for (const [name, level] of Object.entries(files.images)) {
    const png = await picture(12, 10, (x, y) => [level, (x * 20) & 255, (y * 25) & 255])
      .png()
      .toBuffer();
    const isCorrupt = files.corrupt?.includes(name) === true;
    await writeTo(join(dir, name), isCorrupt ? png.subarray(0, png.length >> 1) : png);
  }
  return dir;
}
