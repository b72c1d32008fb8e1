/** More than any machine that was built; every chip's links are modelled. */
export const MOST_CHIPS = 2 ** 17;
