/** Operators that choose among a family's units by number of them: the router's `TopK`, fused mixtures. */
import { Fault, type Diagnostic } from '../../diagnostic.ts';
import { type Family } from '../../ir/axes/families.ts';
import { type NetTensor } from '../../ir/axes/net.ts';
import { operatorOf } from '../../ir/axes/table.ts';
import { nodeLabel } from '../../ir/graph/graph.ts';
import { countToRemove } from '../../ir/recipe/amounts.ts';
import { type Step } from '../../ir/recipe/recipe.ts';
import { choosesFewer, chosenAmong, tooFewToChoose } from '../../messages/choosing.ts';
import { type Selected } from '../scores/select.ts';

export type Chooser = {
	readonly label: string;
	/** How many positions it chooses. */
	readonly count: number;
	/** The unit at every position that it chooses among, -1 for none. */
	readonly units: Int32Array;
	/** How many units can go so that it has as many to choose from. */
	readonly room: number;
	/** Whether it chooses all that are left where those are fewer. */
	readonly clips: boolean;
};

/** Who chooses among the units of a family, in graph order. */
export function choosersOf({ axes, letters }: Family): Chooser[] {
	return [...letters.keys()]
		.sort((a, b) => a.index - b.index)
		.flatMap(({ node, view, inputs }) => {
			const chooses = operatorOf(node)?.chooses?.(view);
			const units = chooses && unitsAt(axes, inputs[chooses.slot], chooses.axis);
			if (chooses === undefined || units === undefined) return [];
			const { count, clips } = chooses;
			const room = Math.max(0, Math.floor((units.length - count) / widest(units)));
			return [{ label: nodeLabel(node), count, units, room, clips }];
		});
}

const unitsAt = (axes: Family['axes'], tensor: NetTensor | undefined, axis: number): Int32Array | undefined =>
	tensor && axes.get(tensor)?.[axis];

/** The most positions that a unit has. */
function widest(units: Int32Array): number {
	const counts = new Map<number, number>();
	for (const unit of units) if (unit >= 0) counts.set(unit, (counts.get(unit) ?? 0) + 1);
	return Math.max(1, ...counts.values());
}

/**
 * What is said of units that stay to be chosen, and of those who choose fewer from now on. Throws `Fault` where units that were told by
 * number or condition leave too few.
 */
export function choosingNotes(selected: readonly Selected[], step: Step, unit: string): Diagnostic[] {
	const { span, amount, min, globally } = step;
	return selected.flatMap(({ candidate: { family, label, scores }, units: gone }) =>
		choosersOf(family).flatMap(({ label: by, count, units, room, clips }) => {
			const dead = new Set(gone);
			const left = units.filter((one) => !dead.has(one)).length;
			const said = { by, count, left, unit, of: label };
			if (clips) return left < count ? choosesFewer(said, { span }) : [];
			if (gone.length > room) throw new Fault(tooFewToChoose(said, { span }));
			const all = scores.length;
			const wanted =
				amount === undefined || globally ? 0 : countToRemove(amount, all, { align: 1, min }).remove;
			return amount?.kind !== 'set' && wanted > gone.length ? chosenAmong(said, { span }) : [];
		}),
	);
}
