package affinity_test

import (
	"errors"
	"fmt"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/machines"
)

// Two reactors that hand work to each other, near the NIC and off its interrupts.
// A program takes affinity.Local().
func ExampleTopology_Place() {
	t := affinity.Read(machines.TwoSocketSMT())
	plan, err := t.Place(2, affinity.Policy{
		Kind:     affinity.KindPack,
		AvoidSMT: true,
		NearNIC:  "eth0",
		Except:   affinity.Of(8, 9), // its interrupts
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.Placements) // each for a reactor.Config.CPU
	fmt.Println("for the rest of the program:", plan.Rest)
	// Output:
	// [cpu 10 cpu 11]
	// for the rest of the program: 0-9,12-25,28-31
}

// In a container with two hardware threads of one core.
func ExampleTooFewCPUsError() {
	t := affinity.Read(machines.Container())
	_, err := t.Place(2, affinity.Policy{Kind: affinity.KindSpread, AvoidSMT: true})
	if few, ok := errors.AsType[*affinity.TooFewCPUsError](err); ok {
		fmt.Println(few.Wanted, "wanted, there remain", few.Remain)
		fmt.Println(few.Excluded[1])
	}
	// Output:
	// 2 wanted, there remain 3
	// 67 (SMT sibling)
}
