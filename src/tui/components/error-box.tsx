/** An error as the project writes them: code, place, expected, got. */
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import type { MeshwrightError } from '../../errors.js';
import { paint, useLook } from '../look.js';

function Line({ name, text }: { readonly name: string; readonly text: string }): ReactNode {
  return (
    <Box columnGap={2}>
      <Box width={8} flexShrink={0}>
        <Text dimColor>{name}</Text>
      </Box>
      <Text>{text}</Text>
    </Box>
  );
}

export function ErrorBox({ error, width }: { readonly error: MeshwrightError; readonly width: number }): ReactNode {
  const look = useLook();
  const { place, expected, got, hint } = error.detail;
  return (
    <Box
      flexDirection="column"
      width={Math.min(width, 100)}
      borderStyle={look.glyphs.border}
      {...(look.colored ? { borderColor: 'red' } : {})}
      paddingX={1}
    >
      <Text bold {...paint(look, 'bad')}>
        Error: {error.code}
      </Text>
      <Line name="at" text={place} />
      <Line name="expected" text={expected} />
      <Line name="got" text={got} />
      {hint !== undefined && <Line name="try" text={hint} />}
    </Box>
  );
}
