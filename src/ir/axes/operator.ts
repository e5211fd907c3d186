/** What the table knows of an operator. A new operator is one entry; its law test comes by itself. */
import { type Attribute } from '../graph/graph.ts';
import { notedRow, notedSizes, type Hints } from './notation.ts';
import { type Row, type Side, type Unrelated } from './row.ts';
import { type NodeView } from './view.ts';

/** One number of a size vector: a literal (ONNX's 0 and -1 included), or the original vector's element. */
export type SizePiece = number | { readonly piece: number };

/** What changes in a node when positions of its operands go: its size slots. */
export type Resized = {
	readonly attributes?: Readonly<Record<string, Attribute | undefined>>;
	/** New numbers for inputs that carry sizes, bounds or indices: a vector, or what has the sizes `dims` where all are literals. */
	readonly inputs?: ReadonlyMap<
		number,
		{ readonly pieces: readonly SizePiece[]; readonly dims?: readonly number[] }
	>;
	/** Positions gathered from the first output afterwards, where the operator itself cannot pick them. */
	readonly gather?: { readonly axis: number; readonly indices: readonly number[] };
	/** Why it cannot be done, when it cannot. */
	readonly refused?: string;
};

/** The removal as one node sees it. */
export type Removal = {
	readonly row: Row;
	/** Kept positions of an axis in order, or undefined when nothing of it goes. */
	kept(side: Side, slot: number, axis: number): Int32Array | undefined;
	/** How many coordinates of the letter with this name stay; 1 where it has one, and so stands in no row. */
	count(letter: string): number;
	/** Coordinates of the letter that go; undefined when none. */
	dead(letter: string): Uint8Array | undefined;
};

/** Sizes and attributes to build one-node models from, for the law test; see `test/ir/axes/law.test.ts`. */
export type Example = {
	/** null is an absent operand. */
	readonly inputs: readonly (ExampleInput | null)[];
	/** How many outputs, from the first on, or which slots; by default the first. */
	readonly outputs?: number | readonly number[];
	readonly attributes?: Readonly<Record<string, Attribute>>;
	/** Version of the operator set of the operator's domain. */
	readonly opset?: number;
	/** The node has no row on purpose; its sizes and values are compared alone. */
	readonly unrelated?: boolean;
	/** Why onnxruntime cannot run it; then only its row's existence is tested. */
	readonly noKernel?: string;
};
export type ExampleInput =
	/** A float32 tensor of these sizes, fed. */
	| readonly number[]
	/** A constant vector of integers, a scalar or of sizes `dims`, int64 unless `type` says otherwise: shapes, axes, indices, zero points. */
	| {
			readonly ints: readonly number[];
			readonly scalar?: boolean;
			readonly dims?: readonly number[];
			readonly type?: number;
	  }
	/** A constant vector or scalar of float32. */
	| { readonly floats: readonly number[]; readonly scalar?: boolean }
	/** A drawn tensor: floats of one sign, or integers `from` up to, without, `below`. */
	| {
			readonly sizes: readonly number[];
			readonly type?: number;
			readonly positive?: boolean;
			readonly negative?: boolean;
			readonly from?: number;
			readonly below?: number;
			readonly constant?: boolean;
	  };

/** A whole number as an attribute, for examples and for what changes in a node. */
export const int = (value: number): Attribute => ({ kind: 'int', value });

export type Operator = {
	/** ONNX operator names that this entry describes. */
	readonly ops: readonly string[];
	/** '' for the ONNX default domain, `com.microsoft` for onnxruntime's. */
	readonly domain: string;
	/** How axes run through a node, given its attributes and sizes. */
	readonly row: (view: NodeView) => Row | Unrelated;
	/** Sizes of the outputs from those of the inputs. */
	readonly sizes: (view: NodeView) => readonly (readonly number[] | undefined)[];
	/** Numbers of output `slot`, for operators of shape arithmetic; at most 4,096 of them. */
	readonly values?: (view: NodeView, slot: number) => readonly number[] | undefined;
	/** Element type of output `slot`; by default that of the first input. */
	readonly type?: (view: NodeView, slot: number) => number;
	/** New size slots; by default none. */
	readonly resize?: (view: NodeView, removal: Removal) => Resized;
	/** Which input holds the coordinates that pick from an `indexed` letter, by the letter's name: they are remapped when rows go. */
	readonly indices?: Readonly<Record<string, number>>;
	/** Which input holds the number that stands for zero in an input, both by slot; null where no number does. By default 0. */
	readonly zeroPoints?: Readonly<Record<number, number | null>>;
	/** How many positions of an input's axis it chooses; where fewer are left it is made to choose those, with `clips`, or they must stay. */
	readonly chooses?: (view: NodeView) => {
		readonly slot: number;
		readonly axis: number;
		readonly count: number;
		readonly clips: boolean;
	};
	/** Only the sizes of the input matter (Shape, Size): positions of it may go, and the output is kept as it was. */
	readonly reads?: 'shape';
	/** Why the whole operator is pinned on purpose, for `prunec list ops`. */
	readonly note?: string;
	readonly examples: readonly Example[];
};

type Noted = Omit<Operator, 'row' | 'sizes' | 'domain' | 'ops'> & {
	readonly domain?: string;
	/** The notation, or how attributes and ranks choose it. */
	readonly axes: string | ((view: NodeView) => string | Unrelated);
	readonly hints?: (view: NodeView) => Hints;
	/** Only where the notation does not tell them. */
	readonly sizes?: Operator['sizes'];
};

/** An operator described by notation; sizes of its outputs follow from the letters. */
export function noted(
	ops: string | readonly string[],
	{ axes, hints, domain = '', ...rest }: Noted,
): Operator {
	const text = (view: NodeView): string | Unrelated => (typeof axes === 'string' ? axes : axes(view));
	return {
		ops: typeof ops === 'string' ? [ops] : ops,
		domain,
		row: (view) => {
			const notation = text(view);
			return typeof notation === 'string' ? notedRow(notation, view, hints?.(view)) : notation;
		},
		sizes: (view) => {
			const notation = text(view);
			return typeof notation === 'string' ? notedSizes(notation, view, hints?.(view)) : [];
		},
		...rest,
	};
}

/** An operator whose row is built from concrete sizes. */
export function built(
	ops: string | readonly string[],
	{ domain = '', ...rest }: Omit<Operator, 'ops' | 'domain'> & { readonly domain?: string },
): Operator {
	return { ops: typeof ops === 'string' ? [ops] : ops, domain, ...rest };
}

/** An operator that no axis runs through, and why; sizes, types and numbers are still followed where they can be. */
export function pinned(
	ops: string | readonly string[],
	why: string,
	{ sizes = () => [], examples = [], ...rest }: Partial<Omit<Operator, 'ops' | 'row' | 'note'>> = {},
): Operator {
	return built(ops, { row: () => ({ unrelated: why }), note: why, sizes, examples, ...rest });
}
