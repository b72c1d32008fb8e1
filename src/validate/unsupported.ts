/** Why a row can't be predicted: something in it that can't be expressed here. */
export class Unsupported extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'Unsupported';
  }
}
