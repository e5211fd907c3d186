/** The rewrite of token pruning: the chosen tokens are gathered once, and so is everything that meets them. */
import { Fault } from '../diagnostic.ts';
import { type NetNode, type NetTensor } from '../ir/axes/net.ts';
import { intAttribute } from '../ir/axes/view.ts';
import { BOOL, FLOAT, INT64 } from '../ir/graph/dtype.ts';
import { nodeLabel, type Model, type Node, type ValueName } from '../ir/graph/graph.ts';
import { type Edit } from '../ir/graph/patch.ts';
import { tokensStay } from '../messages/tokens.ts';
import { drawScores, type Scored } from './choose-tokens.ts';
import { Drawing } from './draw.ts';
import { isWhole, typeOf, type Ends, type Followed, type Side } from './follow-tokens.ts';
import { drawAverages, type Averages } from './join-tokens.ts';
import { laid, picked } from './lay-tokens.ts';
import { type Labels } from './token-labels.ts';
import { sizesName, type TokenStage } from './token-stage.ts';

export type Shortened = {
	readonly edits: readonly Edit[];
	/** The constant that says how many stay. */
	readonly amount: ValueName;
};

export function shortenTokens(model: Model, stage: TokenStage, ends: Ends, followed: Followed): Shortened {
	return new Shortening(model, stage, ends, followed).run();
}

class Shortening {
	private readonly draw: Drawing;
	private readonly scored: Scored;
	/** [batch, kept], ascending along the tokens. */
	private readonly chosen: ValueName;
	private readonly nodes = new Map<number, Node>();
	private readonly cut = new Map<string, ValueName>();
	private readonly start: NetTensor;
	private readonly end: NetTensor | undefined;
	private readonly followed: Followed;
	private readonly stage: TokenStage;
	private readonly averages: Averages | undefined;
	/** [batch, tokens]: the position whose row each has a part in; absent where what leaves is gone. */
	private readonly goes: ValueName | undefined;

	constructor(model: Model, stage: TokenStage, { start, end }: Ends, followed: Followed) {
		this.draw = new Drawing(model);
		this.start = start;
		this.end = end;
		this.followed = followed;
		this.stage = stage;
		const scored = drawScores(this.draw, stage);
		const { scores, kept } = scored;
		const [, best = ''] = this.draw.outputs('TopK', [scores, kept], { axis: 1 }, 2);
		const [sorted = ''] = this.draw.outputs('TopK', [best, kept], { axis: 1, largest: 0 }, 2);
		this.chosen = sorted;
		// Said by a size, a number that depends on data can be followed like one that does not.
		this.scored = { ...scored, kept: this.draw.size(sorted, 1) };
		this.goes = this.goesTo(best);
		const { joining, length } = this.scored;
		this.averages =
			joining === undefined || this.goes === undefined
				? undefined
				: drawAverages(this.draw, this.chosen, this.goes, length, joining.weights, this.draw.name(sizesName));
	}

	/** Tokens that stay go to themselves; `best` are those that stay, the lowest score last. */
	private goesTo(best: ValueName): ValueName | undefined {
		const { joining, length, kept } = this.scored;
		if (joining === undefined) return undefined;
		const positions = this.draw.range(length);
		const stays = this.draw.op('Equal', [
			this.draw.unsqueeze(this.chosen, [2]),
			this.draw.unsqueeze(positions, [0, 1]),
		]);
		const stay = this.draw.cast(this.draw.reduce('ReduceMax', this.draw.cast(stays, INT64), [1]), BOOL);
		const last = this.draw.op('Sub', [kept, this.draw.ints([1])]);
		const target = joining.target ?? this.draw.op('Gather', [best, last], { axis: 1 });
		return this.draw.op('Where', [stay, positions, target]);
	}

	/** The rows of the start that stay, or the means that stand for them. */
	private shortened(): ValueName {
		const { draw, averages, start } = this;
		const batch = { axis: 0, repeat: 1 };
		if (averages === undefined) return picked(draw, start.name, this.chosen, { rank: 3, axis: 1, batch });
		const type = typeOf(start);
		const product = draw.op('MatMul', [averages.shares, draw.cast(start.name, FLOAT)]);
		return type === FLOAT ? product : draw.cast(product, type);
	}

	/** Keys that stand for several tokens count as often in every attention behind: log of their number on the scores. */
	private weighKeys(growth: ValueName): void {
		const { draw, followed } = this;
		const logs = draw.op('Log', [growth]);
		for (const { node, slot, axis, batch, kind } of followed.mixes) {
			if (kind !== 'softmax') continue;
			const operand = node.view.inputs[slot];
			const own = laid(draw, logs, operand?.sizes?.length ?? 0, axis, batch);
			const typed = operand?.type === FLOAT ? own : draw.cast(own, operand?.type ?? FLOAT);
			this.feed(node, slot, draw.op('Add', [node.node.inputs[slot] ?? '', typed]));
		}
	}

	run(): Shortened {
		const short = this.shortened();
		for (const node of this.start.consumers)
			if (!node.readsShape)
				node.inputs.forEach((input, slot) => {
					if (input === this.start) this.feed(node, slot, short);
				});
		for (const side of this.followed.sides) this.feed(side.node, side.slot, this.sideOf(side));
		for (const node of this.followed.shapes) if (node.inputs[0] !== this.start) this.restoreSizes(node);
		for (const node of this.followed.vectors) this.feed(node, 1, this.sizesOf(node));
		if (this.averages !== undefined && this.stage.join === 'alike') this.weighKeys(this.averages.growth);
		if (this.end !== undefined) this.restore(this.end);
		const changed = [...this.nodes.values()].map((node): Edit => ({ kind: 'node', node }));
		return { edits: [...this.draw.edits, ...changed], amount: this.scored.amount };
	}

	/** Rows of the end go back to their places among those of the start. */
	private restore(end: NetTensor): void {
		if (end.producer === undefined) return;
		const short = this.renamed(end.producer, end.name);
		if (this.goes !== undefined && this.stage.join === 'alike') {
			this.unmerge(short, this.goes, end);
			return;
		}
		const places = this.draw.op('Expand', [
			this.draw.unsqueeze(this.chosen, [2]),
			this.draw.op('Shape', [short]),
		]);
		this.draw.outputs('ScatterElements', [this.start.name, places, short], { axis: 1 }, 1, [end.name]);
	}

	/** Every token has the row that it has a part in. */
	private unmerge(short: ValueName, goes: ValueName, end: NetTensor): void {
		const { draw } = this;
		const found = draw.op('Equal', [draw.unsqueeze(this.chosen, [2]), draw.unsqueeze(goes, [1])]);
		const places = draw.op('ArgMax', [draw.cast(found, FLOAT)], { axis: 1, keepdims: 0 });
		const rows = picked(draw, short, places, { rank: 3, axis: 1, batch: { axis: 0, repeat: 1 } });
		draw.outputs('Identity', [rows], {}, 1, [end.name]);
	}

	private feed(node: NetNode, slot: number, name: ValueName): void {
		const now = this.nodes.get(node.node.id) ?? node.node;
		this.nodes.set(node.node.id, {
			...now,
			inputs: now.inputs.map((input, at) => (at === slot ? name : input)),
		});
	}

	private sideOf({ node, slot, axes, own, shared }: Side): ValueName {
		const { name = '', sizes = [] } = node.inputs[slot] ?? {};
		const rank = own === undefined ? (node.outputs[0]?.sizes.length ?? sizes.length) : sizes.length;
		const batch = own ?? shared;
		const key = JSON.stringify([name, rank, axes, own, shared]);
		const known = this.cut.get(key);
		if (known !== undefined) return known;
		const whole = own === undefined ? this.withBatch(name, rank, shared) : name;
		const shift = batch === undefined ? 0 : rank - sizes.length;
		const result = axes.reduce(
			(value, axis) => picked(this.draw, value, this.chosen, { rank, axis: axis + shift, batch }),
			whole,
		);
		this.cut.set(key, result);
		return result;
	}

	/** A value that all rows share, repeated for each: they keep other positions. */
	private withBatch(value: ValueName, rank: number, shared: Side['shared']): ValueName {
		if (shared === undefined) return value;
		const rows = this.draw.size(this.start.name, 0);
		const all = this.draw.op('Mul', [rows, this.draw.ints([shared.repeat])]);
		const pieces = Array.from({ length: rank }, (_, axis) => (axis === shared.axis ? all : 1));
		return this.draw.op('Expand', [value, this.draw.vector(...pieces)]);
	}

	/** Sizes that the graph computes with keep the meaning they had: the length is still that of the input. */
	private restoreSizes(node: NetNode): void {
		const [input] = node.inputs;
		const labels = (input && this.followed.axes.get(input)) ?? [];
		const start = intAttribute(node.view, 'start', 0);
		const first = start < 0 ? start + labels.length : start;
		const count = node.outputs[0]?.sizes[0] ?? 0;
		const name = node.node.outputs[0] ?? '';
		const raw = this.renamed(node, name);
		const pieces = Array.from({ length: count }, (_, at) => {
			const own = this.draw.op('Gather', [raw, this.draw.ints([at])], { axis: 0 });
			return this.fullSize(own, labels[first + at]);
		});
		this.draw.outputs('Concat', pieces, { axis: 0 }, 1, [name]);
	}

	private renamed(node: NetNode, name: ValueName): ValueName {
		const raw = this.draw.name(`${name}_short`);
		const now = this.nodes.get(node.node.id) ?? node.node;
		const outputs = now.outputs.map((output) => (output === name ? raw : output));
		this.nodes.set(node.node.id, { ...now, outputs });
		return raw;
	}

	private fullSize(size: ValueName, labels: Labels): ValueName {
		if (labels === undefined) return size;
		if (isWhole(labels, this.start.sizes[1] ?? 0)) return this.scored.length;
		const others = this.draw.op('Div', [size, this.scored.kept]);
		return this.draw.op('Mul', [others, this.scored.length]);
	}

	/** Operand 1 of a Reshape or Expand: 0 and -1 where they say it, else the number that stays. */
	private sizesOf(node: NetNode): ValueName {
		const [input, output] = [node.inputs[0], node.outputs[0]];
		const [from, to] = [input && this.followed.axes.get(input), output && this.followed.axes.get(output)];
		const given = node.view.inputs[1]?.known;
		const count = this.start.sizes[1] ?? 0;
		const literal = (axis: number): number | undefined =>
			given?.fixed[axis] === true ? given.values[axis] : undefined;
		const copies = node.node.op === 'Reshape' && intAttribute(node.view, 'allowzero', 0) === 0;
		let inferred = (to ?? []).some((labels, axis) => labels === undefined && literal(axis) === -1);
		const pieces = (to ?? []).map((labels, axis): number | ValueName => {
			if (labels === undefined) return literal(axis) ?? this.element(node.node.inputs[1] ?? '', axis);
			if (copies && isWhole(labels, count) && isWhole(from?.[axis], count)) return 0;
			if (copies && !inferred) {
				inferred = true;
				return -1;
			}
			if (isWhole(labels, count)) return this.scored.kept;
			throw new Fault(tokensStay({ why: `${nodeLabel(node.node)} needs two sizes that are not known` }));
		});
		return this.draw.vector(...pieces);
	}

	private element(vector: ValueName, at: number): ValueName {
		return this.draw.op('Gather', [vector, this.draw.ints([at])], { axis: 0 });
	}
}
