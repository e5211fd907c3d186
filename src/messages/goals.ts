/** Messages about goals: what cannot be reached, and what there is to choose from. */
import { defineDiagnostic } from '../diagnostic.ts';

export const goalNotReached = defineDiagnostic({
	code: 'plan/goal-not-reached',
	severity: 'error',
	explain:
		'A goal is tried in memory before anything is written. When everything that the statement may take is gone and it still does not hold, or quality would fall below its floor first, nothing is written.',
	message: ({ goal, best, floor }: { goal: string; best: string; floor?: string }) =>
		`\`${goal}\` cannot be reached${floor === undefined ? '' : ` with \`${floor}\``}: the best is ${best}`,
	hint: () => 'name more targets, widen the scope, or ask for less',
});
export const nothingGood = defineDiagnostic({
	code: 'plan/floor-too-high',
	severity: 'error',
	explain:
		'A statement with `while` takes as much as quality allows. Here the first unit that would go already breaks it, or none could go whatever the quality.',
	message: ({ goal }: { goal: string; choices?: number }) => `nothing can go while \`${goal}\``,
	hint: ({ choices }) =>
		choices === 0
			? 'nothing of what is named may go whatever the quality: what stays says why'
			: 'ask for less, or give more calibration data: refits on few inputs are poor',
});
export const goalUnmeasured = defineDiagnostic({
	code: 'plan/goal-unmeasured',
	severity: 'error',
	explain:
		'Parameters, multiply-adds and bytes follow from sizes. Other costs are measured by running the model.',
	message: ({ subject }: { subject: string }) => `nothing here measures the ${subject} of a model`,
	hint: () => '`until macs <= 60%` needs no measurement',
});
