/** What a model costs when so many units of each of several families are gone: exact, without cutting anything. */
import { parametersOf } from '../../ir/cost.ts';
import { productsOf } from '../../ir/products.ts';
import { type Family } from '../../ir/axes/families.ts';
import { type Net } from '../../ir/axes/net.ts';
import { elementType } from '../../ir/graph/dtype.ts';
import { savingsOver, type Savings } from './savings.ts';

/** Sizes that multiply, some of which shrink. */
type Piece = {
	/** What one element counts. */
	readonly each: number;
	readonly sizes: readonly number[];
	readonly cuts: readonly Shrinking[];
};
/** Positions of a size that go with one unit of a family. */
type Shrinking = { readonly at: number; readonly family: number; readonly perUnit: number };

/** Costs that follow from sizes: parameters, multiply–adds, bytes of weights. */
export function cutSavings(
	net: Net,
	families: readonly Family[],
): Readonly<Record<'params' | 'macs' | 'size', Savings>> {
	const weights = weightPieces(net, families);
	return {
		params: savingsOf(
			weights.map(({ piece, params }) => ({ ...piece, each: params })),
			families.length,
		),
		macs: savingsOf(productPieces(net, families), families.length),
		size: savingsOf(
			weights.map(({ piece, bytes }) => ({ ...piece, each: bytes })),
			families.length,
		),
	};
}

function savingsOf(pieces: readonly Piece[], families: number): Savings {
	return savingsOver(pieces, families, {
		familiesOf: ({ cuts }) => cuts.map(({ family }) => family),
		savedOf,
	});
}

function savedOf({ each, sizes, cuts }: Piece, removed: readonly number[]): number {
	const left = [...sizes];
	for (const { at, family, perUnit } of cuts) left[at] = (left[at] ?? 0) - perUnit * (removed[family] ?? 0);
	const volume = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);
	return each * (volume(sizes) - volume(left));
}

/** Weights that some family cuts. A weight used several times is stored once. */
function weightPieces(
	net: Net,
	families: readonly Family[],
): { readonly piece: Omit<Piece, 'each'>; readonly params: number; readonly bytes: number }[] {
	const seen = new Set<string>();
	return [...net.tensors.values()].flatMap((tensor) => {
		const { constant, name, sizes } = tensor;
		if (constant === undefined || seen.has(name)) return [];
		const cuts = families.flatMap((family, at) => shrinkings(family.axes.get(tensor) ?? [], family, at));
		if (cuts.length === 0) return [];
		seen.add(name);
		const bits = elementType(constant.type)?.bits ?? 0;
		return [{ piece: { sizes, cuts }, params: parametersOf(constant) > 0 ? 1 : 0, bytes: bits / 8 }];
	});
}

/** Products and convolutions that some family makes smaller. */
function productPieces(net: Net, families: readonly Family[]): Piece[] {
	return net.nodes.flatMap((node) =>
		productsOf(node).flatMap(({ letters, times }) => {
			const owners = (family: Family): (Int32Array | undefined)[] =>
				letters.map((letter) => family.letters.get(node)?.[letter]);
			const cuts = families.flatMap((family, at) => shrinkings(owners(family), family, at));
			const sizes = letters.map((letter) => node.row?.letters[letter]?.size ?? 1);
			return cuts.length === 0 ? [] : [{ each: times, sizes, cuts }];
		}),
	);
}

function shrinkings(
	owners: readonly (Int32Array | undefined)[],
	{ units }: Family,
	family: number,
): Shrinking[] {
	return owners.flatMap((own, at) => {
		const owned = own?.reduce((count, unit) => count + Number(unit >= 0), 0) ?? 0;
		return owned === 0 ? [] : [{ at, family, perUnit: owned / units }];
	});
}
