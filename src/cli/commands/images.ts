import { generateDataset } from '../../train/index.js';
import { printJson, printLine } from '../output.js';

export interface ImagesFlags {
  readonly classes: number;
  readonly perClass: number;
  readonly heldOut: number;
  readonly size: number;
  readonly seed: number;
  readonly json?: boolean;
}

/** `meshwright images DIR`: draws a small labelled set (shapes × textures × colours) to train on. */
export async function images(folder: string, flags: ImagesFlags): Promise<void> {
  const set = await generateDataset(folder, {
    classCount: flags.classes,
    trainImagesPerClass: flags.perClass,
    heldOutImagesPerClass: flags.heldOut,
    imageSize: flags.size,
    seed: flags.seed,
  });
  if (flags.json) {
    printJson({ schema: 'meshwright/images@1', ...set });
    return;
  }
  printLine(`${set.reused ? 'There already' : 'Drawn'}: ${folder}, ${set.classes.length} classes`);
  printLine(
    `  ${flags.perClass} images a class to train on, ${flags.heldOut} held out, ${flags.size}×${flags.size} pixels`,
  );
}
