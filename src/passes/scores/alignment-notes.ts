/** What is said where alignment leaves nothing to remove. */
import { type Diagnostic } from '../../diagnostic.ts';
import { type Step } from '../../ir/recipe/recipe.ts';
import { alignedAway } from '../../messages/plan.ts';
import { groupBy } from '../group-by.ts';

/** A group of units that alignment leaves whole; `fewest` is how few could go, absent where none can. */
export type Away = {
	readonly label: string;
	readonly units: number;
	readonly align: number;
	readonly fewest: number | undefined;
};

/** One note for all groups that are aligned alike. */
export function alignmentNotes(away: readonly Away[], { span }: Step, unit: string): Diagnostic[] {
	const of = `the ${unit} of `;
	return groupBy(away, ({ align, fewest }) => `${align}/${fewest ?? ''}`).flatMap((alike) => {
		const what = alike.map(
			({ label, units }) =>
				`the ${units} ${unit} of ${label.startsWith(of) ? label.slice(of.length) : label}`,
		);
		return alike.slice(0, 1).map(({ align, fewest }) => alignedAway({ what, align, fewest }, { span }));
	});
}
