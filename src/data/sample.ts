/** Pieces of data: as files hold them, and as a model takes them. */
import { type ValueName } from '../ir/graph/graph.ts';

/** A tensor as numbers, row-major; `type` is a number of `ir/graph/dtype.ts`. */
export type SampleValue = {
	readonly type: number;
	readonly dims: readonly number[];
	readonly data: ArrayLike<number>;
};

/** One set of inputs for a model, by input name. */
export type Sample = ReadonlyMap<ValueName, SampleValue>;

/**
 * What is right for an example: the number of a class or its name, the text to be read, or a class for each position
 * (−100 where none is asked for).
 */
export type Label = number | string | readonly number[];

/** One piece of data, ready for a model. */
export type Example = {
	readonly feeds: Sample;
	/** 1 where a position holds something, 0 where it is padding: `[batch, positions]`. Absent: every position counts. */
	readonly mask?: SampleValue;
	readonly label?: Label;
	/** Where it came from: `dev.jsonl:12`, `cats/01.png`, `x.npy[3]`. */
	readonly at: string;
};

/** An example that is made when it is asked for; what is right for it is known before. */
export type Pending = { readonly label?: Label; readonly make: () => Example };

/** An image of 8-bit RGBA pixels, row by row. */
export type Pixels = { readonly width: number; readonly height: number; readonly data: Uint8Array };

/** Mono samples from −1 to 1, at `rate` a second. */
export type Waveform = { readonly rate: number; readonly samples: Float32Array };

/** What a column of a row holds. `plain` is JSON: a text, a number, a nested array. Media are opened when they are needed. */
export type Field =
	| { readonly kind: 'plain'; readonly value: unknown }
	| { readonly kind: 'tensor'; readonly value: SampleValue }
	| { readonly kind: 'image'; readonly open: () => Pixels }
	| { readonly kind: 'sound'; readonly open: () => Waveform };

/** A row of a file, by column, before anything is known of the model. A row of tensors may hold a whole batch. */
export type Row = { readonly fields: ReadonlyMap<string, Field>; readonly at: string };
