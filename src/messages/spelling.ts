/** Hints for words that are not known. */
import { nearest, oneOf } from './nearest.ts';

/** A word that is not known, and those that are. */
export type Found = {
	readonly found: string;
	readonly known: readonly string[];
	/** Those of them that a list shows; absent: all. */
	readonly listed?: readonly string[];
};

/** What other tools, and people, call what the language has another word for. */
const otherWords: Readonly<Record<string, string>> = {
	...{ remove: 'prune', drop: 'prune', delete: 'prune', cut: 'prune', trim: 'prune', sparsify: 'prune' },
	...{ decompose: 'factorize', lowrank: 'factorize', svd: 'factorize', tie: 'share', combine: 'fuse' },
	...{ stop: 'exit', assert: 'expect', ensure: 'expect', import: 'use', include: 'use', freeze: 'protect' },
	...{ if: 'where', on: 'in', of: 'in', within: 'in', unless: 'except', using: 'with', global: 'globally' },
	...{ magnitude: 'l2', norm: 'l2', mlp: 'ffn', feedforward: 'ffn', convolutions: 'channels' },
	...{ flops: 'macs', speed: 'latency', time: 'latency', parameters: 'params', bytes: 'size' },
	...{ sparsity: 'params', similarity: 'cosine', block: 'layer', blocks: 'layers' },
};

/** The known word that was probably meant, and whether it is spelt alike. */
function meant({ found, known }: Found): { readonly word: string; readonly alike: boolean } | undefined {
	const lower = found.toLowerCase();
	const other = Object.hasOwn(otherWords, lower) ? otherWords[lower] : undefined;
	if (other !== undefined && known.includes(other)) return { word: other, alike: false };
	const word = nearest(found, known);
	return word === undefined ? undefined : { word, alike: true };
}

/** The known word that was probably meant. */
export function spelling(found: Found): string | undefined {
	const near = meant(found);
	return near && `\`${near.word}\` is ${near.alike ? 'the nearest spelling' : 'the word for it'}`;
}

/** The known word that was probably meant, to stand in the place of what was found. */
export function respelt(found: Found): string | undefined {
	return meant(found)?.word;
}

/** The known word that was probably meant, else all of them. */
export function spellingOrList(what: string): (found: Found) => string {
	return ({ found, known, listed = known }) =>
		spelling({ found, known }) ??
		(known.length === 0 ? `there are no ${what}` : `${what} are ${oneOf(listed, 'and')}`);
}
