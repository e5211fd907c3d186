/** Which coordinates of which letters walks have labelled: a seed starts where none has been. */
import { type Labels, NONE } from './classes.ts';
import { type NetNode } from './net.ts';
import { unreadOf } from './stretches.ts';
import { type Seed, type Walk } from './walk.ts';

/** 1 at covered coordinates. Never written to again: most letters of a walk share one. */
export type Mask = { readonly at: Uint8Array; readonly isWhole: boolean };

function maskOf(at: Uint8Array): Mask {
	return { at, isWhole: !at.includes(0) };
}

function labelled({ at: labels }: Labels): Mask {
	const at = new Uint8Array(labels.length);
	for (let position = 0; position < at.length; position++) if (labels[position] !== NONE) at[position] = 1;
	return maskOf(at);
}

function either(left: Mask, right: Mask): Mask {
	if (left === right || left.isWhole) return left;
	if (right.isWhole) return right;
	const at = left.at.slice();
	for (let position = 0; position < at.length; position++) if (right.at[position] === 1) at[position] = 1;
	return maskOf(at);
}

export class Coverage {
	private readonly masks = new Map<NetNode, (Mask | undefined)[]>();

	/** Where a seed need not start: walked before, or never read; undefined where it is all open. */
	at({ node, letter }: Seed): Mask | undefined {
		const known = this.masks.get(node)?.[letter];
		if (known?.isWhole) return known;
		const unread = unreadOf(node, letter);
		if (unread === undefined) return known;
		return known === undefined ? maskOf(unread) : either(known, maskOf(unread));
	}

	/** Everything that a walk labelled. */
	addWalk({ states }: Walk): void {
		const made = new Map<Int32Array, Mask>();
		for (const [node, { letters }] of states)
			letters.forEach((labels, letter) => {
				if (labels === undefined) return;
				const mask = made.get(labels.at) ?? labelled(labels);
				made.set(labels.at, mask);
				this.add({ node, letter }, mask);
			});
	}

	/** All of a seed's letter, which was walked in every way there is. */
	addSeed(seed: Seed): void {
		this.add(seed, maskOf(new Uint8Array(seed.node.row?.letters[seed.letter]?.size ?? 0).fill(1)));
	}

	private add({ node, letter }: Seed, mask: Mask): void {
		const known = this.masks.get(node) ?? [];
		this.masks.set(node, known);
		const before = known[letter];
		known[letter] = before === undefined ? mask : either(before, mask);
	}
}
