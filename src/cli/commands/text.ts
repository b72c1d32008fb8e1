import { generateText } from '../../train/index.js';
import { printJson, printLine } from '../output.js';

export interface TextFlags {
  readonly bytes: number;
  readonly seed: number;
  readonly json?: boolean;
}

/** `meshwright text FILE`: writes a small text (sentences whose end follows from their beginning) to train on. */
export async function text(file: string, { bytes, seed, json }: TextFlags): Promise<void> {
  const { reused } = await generateText(file, { bytes, seed });
  if (json) printJson({ schema: 'meshwright/text@1', file, bytes, reused });
  else printLine(`${reused ? 'There already' : 'Written'}: ${file}, ${bytes} bytes`);
}
