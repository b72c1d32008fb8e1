/** Small helps for messages to people. */
import { closest } from 'fastest-levenshtein';

/** The known name that is spelled most like the one given. */
export const nearest = (name: string, known: readonly string[]): string => closest(name, [...known]);
